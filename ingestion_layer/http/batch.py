"""A batch of lines: judged line by line, taken whole or not at all, and its key remembered."""

import hashlib
import logging
import sqlite3
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from ingestion_layer.http.judging import SLICE, fault_of, judge, refused_whole
from ingestion_layer.http.lines import event_of, lines_in
from ingestion_layer.http.receipts import BatchName, Receipts
from ingestion_layer.http.refusal import Fault, RefusedError
from ingestion_layer.http.sender import RETRY_AFTER_S
from tidemill.contracts import Contract, Rejection
from tidemill.contracts.checker import Message

logger = logging.getLogger(__name__)


class LineBatch:
    """The lines of one request: judged, then claimed, since only what is taken has a claim on a key, then sent."""

    def __init__(self, contract: Contract, name: BatchName, body: bytes) -> None:
        self._contract, self._name, self._body = contract, name, body
        self._ids: list[str] = []
        self.messages: list[Message] = []

    def judging(self) -> Iterator[None]:
        """Judge every line, with a pause now and then for whoever has other requests.

        Raises:
            RefusedError: 400, there is no line; 422, some are no events; each is named by its number.
        """
        faults: list[Fault] = []
        count = 0
        for count, line in enumerate(lines_in(self._body), start=1):
            if not count % SLICE:
                yield
            if isinstance(line.content, Fault):
                faults.append(line.content)
                continue
            event = event_of(self._contract, self._name, line.number, line.content)
            message = judge(self._contract, event)
            if isinstance(message, Rejection):
                faults.append(fault_of(event, message, line.place))
            else:
                self.messages.append(message)
                self._ids.append(event["id"])
        if not count:
            raise RefusedError(400, "the body has no line: a batch has at least one")
        if faults:
            raise refused_whole(faults, count)

    @cached_property
    def digest(self) -> str:
        return f"sha-256:{hashlib.sha256(self._body).hexdigest()}"

    def claim(self, receipts: Receipts) -> None:
        """That the key means this body.

        Raises:
            RefusedError: 422, it means another; 503, that cannot be told now.
        """
        try:
            held = receipts.claim(self._name, self.digest)
        except sqlite3.Error as error:
            logger.exception("receipts cannot be kept")
            raise RefusedError(503, f"receipts cannot be kept now ({error})", retry_after_s=RETRY_AFTER_S) from error
        if held != self.digest:
            raise RefusedError(
                422,
                f"the key {self._name.key!r} of {self._name.source} came with another body before ({held}): send that "
                "one again, or give this one a key of its own",
            )

    def receipt(self) -> dict[str, Any]:
        """What its sender is told when the broker has all of it."""
        name = {"key": self._name.key, "source": self._name.source, "topic": self._name.topic}
        return {**name, "digest": self.digest, "count": len(self._ids), "ids": self._ids}
