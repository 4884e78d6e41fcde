"""What becomes of one message of quarantine when it is judged again, as it is or as a fix makes it."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Self

from data_lake.quarantine.fix import Fix, FixFailedError
from data_lake.quarantine.origin import Origin, TopicIds
from tidemill.config.settings import Settings
from tidemill.contracts.checker import Checker, Event, Reason, Rejection, checker
from tidemill.contracts.json_text import parse
from tidemill.contracts.registry import Contract, NoKeyError, contract

UNREADABLE = "it killed or hung what read it: only a fix can make it an event"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Verdict(StrEnum):
    """What is done with a message, beside the reasons of :class:`Reason` for which it stays where it is."""

    SEND = "send"
    KNOWN = "known"
    LEFT = "left"
    FIX_FAILED = "fix_failed"


@dataclass(frozen=True)
class Judged:
    """The verdict on the message at ``origin``; the event and what would be sent are there only of one to send."""

    origin: Origin
    verdict: Verdict | Reason
    detail: str | None = None
    event: Event | None = None
    key: bytes | None = None
    value: bytes | None = None


@dataclass(frozen=True)
class TimeBounds:
    """Events of before ``earliest`` and of after ``latest`` are refused, in microseconds since 1970.

    A replayed event gets the broker's time of now, so that is what its own is held against.
    """

    earliest: int
    latest: int

    @classmethod
    def of(cls, settings: Settings, now: datetime) -> Self:
        latest = now + timedelta(seconds=settings.stream.latest_skew_s)
        earliest = datetime.combine(settings.stream.earliest_event, datetime.min.time(), UTC)
        return cls((earliest - EPOCH) // timedelta(microseconds=1), (latest - EPOCH) // timedelta(microseconds=1))

    def breach(self, time: int) -> str | None:
        if time < self.earliest:
            return f"/time: {_text(time)} is before {_text(self.earliest)}"
        return f"/time: {_text(time)} is after {_text(self.latest)}" if time > self.latest else None


@dataclass(frozen=True)
class Judge:
    """Judges messages of one topic by today's contract, as the stream will when they come again."""

    contract: Contract
    check: Checker
    bounds: TimeBounds
    ids: TopicIds
    fix: Fix | None

    @classmethod
    def of(cls, settings: Settings, ids: TopicIds, fix: Fix | None, now: datetime) -> Self:
        return cls(contract(ids.topic), checker(ids.topic), TimeBounds.of(settings, now), ids, fix)

    def judged(self, row: Mapping[str, Any]) -> Judged:
        """``row`` has quarantine's columns generation, partition, offset, key, value, headers and reason."""
        origin = self.ids.origin(row["generation"], row["partition"], row["offset"])
        if self.fix is not None:
            return self._fixed(self.fix, origin, row)
        if row["reason"] == Reason.UNPROCESSABLE:
            return Judged(origin, Reason.UNPROCESSABLE, UNREADABLE)
        return self._as_it_is(origin, row["key"], row["value"])

    def _as_it_is(self, origin: Origin, key: bytes | None, value: bytes | None) -> Judged:
        event = self.check.read(value)
        if isinstance(event, Rejection) or value is None:
            return _refused(origin, event)
        with suppress(NoKeyError):  # the lake takes an event about nobody: it keeps the key that it had
            key = self.contract.key(parse(value)["data"])
        return self._timed(origin, event, key, value)

    def _fixed(self, fix: Fix, origin: Origin, row: Mapping[str, Any]) -> Judged:
        headers = [(header["key"], header["value"]) for header in row["headers"] or ()]
        try:
            event = fix.event(row["value"], row["key"], headers)
        except FixFailedError as error:
            return Judged(origin, Verdict.FIX_FAILED, str(error))
        if event is None:
            return Judged(origin, Verdict.LEFT)
        identity = {"id": origin.event_id, "source": origin.source}
        message = self.check.encode(identity | event)
        if isinstance(message, Rejection):
            return _refused(origin, message)
        read = self.check.read(message.value)
        return _refused(origin, read) if isinstance(read, Rejection) else self._timed(origin, read, *message)

    def _timed(self, origin: Origin, event: Event, key: bytes | None, value: bytes) -> Judged:
        breach = self.bounds.breach(event.time)
        if breach is not None:
            return Judged(origin, Reason.TIME_OUT_OF_RANGE, breach)
        return Judged(origin, Verdict.SEND, None, event, key, value)


def _refused(origin: Origin, rejection: Any) -> Judged:
    return Judged(origin, rejection.reason, rejection.detail)


def _text(micros: int) -> str:
    return f"{EPOCH + timedelta(microseconds=micros):%Y-%m-%d %H:%M:%S}"
