"""A topic whose work a shared query does, or for a time a query of its own: seen from outside it is one query."""

import time
from dataclasses import dataclass, field
from typing import Any

from stream_processing.spark_streaming.queries.restarts import IDLE, Running


@dataclass
class Member:
    """``own`` is the query of its own while it has one; ``has_worked`` is set when the shared one has."""

    topic: str
    isActive: bool = True  # noqa: N815 - as StreamingQuery calls it
    own: Running | None = None
    has_worked: bool = False
    error: Exception | None = None

    @property
    def lastProgress(self) -> Any:  # noqa: N802
        return self.own.lastProgress if self.own is not None else None

    @property
    def status(self) -> dict[str, Any]:
        if self.own is not None:
            return self.own.status
        return {"message": IDLE[0] if self.has_worked else "", "isTriggerActive": False}

    def exception(self) -> Exception | None:
        return self.error

    def stop(self) -> None:
        """What a shared query does now is ended by who runs it."""
        if self.own is not None:
            self.own.stop()
        self.end(None)

    def end(self, error: Exception | None) -> None:
        self.error, self.isActive = error, False


@dataclass
class OwnQuery:
    """The query that a topic has of its own for a time."""

    query: Running
    _idle_since: float | None = field(default=None, init=False)

    def has_waited(self, seconds: float) -> bool:
        """Whether it has been seen to wait for news for so long."""
        if self.query.status["message"] not in IDLE or self.query.lastProgress is None:
            self._idle_since = None
            return False
        self._idle_since = self._idle_since or time.monotonic()
        return time.monotonic() - self._idle_since >= seconds
