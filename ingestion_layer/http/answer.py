"""What is sent back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.types import Send

from ingestion_layer.http.refusal import RefusedError
from tidemill.web.problems import MEDIA_TYPE

JSON = b"application/json"
PROBLEM = MEDIA_TYPE.encode()
NO_CONTENT = 204

Headers = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    content_type: bytes = JSON
    headers: Headers = ()

    async def send(self, send: Send, request_id: str, more: Headers = ()) -> None:
        headers = [(b"x-request-id", request_id.encode()), *self.headers, *more]
        if self.status != NO_CONTENT:  # which has no length either (RFC 9110, 8.6)
            headers += [(b"content-type", self.content_type), (b"content-length", b"%d" % len(self.body))]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


def json_answer(status: int, value: Any) -> Answer:
    return Answer(status, orjson.dumps(value))


def refusal_answer(refused: RefusedError, request_id: str) -> Answer:
    return Answer(refused.status, refused.body(request_id), PROBLEM, refused.headers)
