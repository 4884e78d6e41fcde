"""Why a request is not taken: a status, a sentence, and what is wrong with each event of it."""

import http
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from tidemill.web.problems import kind

MAX_FAULTS = 100
"""How many are told one by one; the sentence counts all."""


@dataclass(frozen=True)
class Fault:
    """What is wrong with one event. ``pointer`` leads to it (RFC 6901), ``place`` says which event of the request."""

    pointer: str
    reason: str
    message: str
    id: str | None = None
    place: tuple[str, int] | None = None

    def described(self) -> dict[str, Any]:
        told: dict[str, Any] = {} if self.place is None else dict([self.place])
        if self.id is not None:
            told["id"] = self.id
        return {**told, "pointer": self.pointer, "reason": self.reason, "message": self.message}


class RefusedError(Exception):
    """A request that is answered with ``status``, which is 400 or more."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        faults: Sequence[Fault] = (),
        retry_after_s: int | None = None,
        headers: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.faults = faults
        again = () if retry_after_s is None else ((b"retry-after", b"%d" % retry_after_s),)
        self.headers = (*headers, *again)

    def body(self, request_id: str) -> bytes:
        """Problem details (RFC 9457)."""
        return orjson.dumps(
            {
                "type": kind(self.status),
                "title": http.HTTPStatus(self.status).phrase,
                "status": self.status,
                "detail": self.detail,
                "request_id": request_id,
                "errors": [fault.described() for fault in self.faults[:MAX_FAULTS]],
            }
        )


CLOSE = ((b"connection", b"close"),)
"""For an answer to a body that was not read: without closing, the server would read it to reach the next request."""
