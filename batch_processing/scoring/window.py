"""The times that a use case is scored for: one moment of all its entities, or each event's own in a range."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from feature_store.definitions import Question
from feature_store.definitions.questions import Moments, Outcome
from tidemill.config.errors import TerminalError

MICROSECOND = timedelta(microseconds=1)


class WindowError(TerminalError):
    """Times that do not go with the question; the message says which to give."""


@dataclass(frozen=True)
class Window:
    """Scores are as of times from ``begin`` to before ``end``; both are aware, in UTC."""

    begin: datetime
    end: datetime

    @classmethod
    def at(cls, moment: datetime) -> "Window":
        """One moment."""
        return cls(moment, moment + MICROSECOND)


def window_of(
    use_case: str, question: Question, at: datetime | None, begin: datetime | None, end: datetime | None
) -> Window:
    """The window that was asked for, in UTC: ``at`` (None: now) of entities, ``begin`` to ``end`` of events.

    Raises:
        WindowError: the question is asked of the other kind, or cannot be asked before its labels are there.
    """
    if question.moments is Moments.CUTOFFS:
        if begin or end:
            raise WindowError(f"{use_case} asks about entities: score them as of one time, with --at")
        return Window.at(_utc(at) if at else datetime.now(UTC))
    if not isinstance(question, Outcome):
        raise WindowError(
            f"{use_case} asks with a function of its own (Own), which makes rows only with their labels: nothing can "
            "be scored before it is known; ask the server, or declare the question as an Outcome"
        )
    if at is not None or begin is None or end is None:
        raise WindowError(
            f"{use_case} asks about events, each at its own time and with what it brings: score those of a range, "
            "with --from and --to"
        )
    if _utc(begin) >= _utc(end):
        raise WindowError(f"--from {begin:%FT%T} is not before --to {end:%FT%T}: no event lies between them")
    return Window(_utc(begin), _utc(end))


def _utc(moment: datetime) -> datetime:
    """A time without a zone is one in UTC."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
