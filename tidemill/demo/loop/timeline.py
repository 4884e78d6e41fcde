"""The timeline: each moment is shown as it is seen, and waited for."""

import time
from collections.abc import Callable, Collection
from datetime import UTC, datetime

from tidemill.config.errors import TerminalError
from tidemill.demo.loop.moments import Kind, Moment

POLL_S = 2.0
INDENT = " " * 21


class LoopError(TerminalError):
    """The loop did not do what it is there for; the message says what it did instead, or did not do in time."""


class Timeline:
    """What ``news`` gives, in phases: what is waited for is of the phase that runs.

    ``zero`` is the moment that times are counted from, once there is one.
    """

    def __init__(self, news: Callable[[], list[Moment]], sleep: Callable[[float], None] = time.sleep) -> None:
        self._news = news
        self._sleep = sleep
        self._phase = 0
        self.moments: list[Moment] = []
        self.zero: datetime | None = None

    def begin_phase(self) -> None:
        """What was told so far is over."""
        self._phase = len(self.moments)

    @property
    def phase(self) -> list[Moment]:
        """What was told in the phase that runs."""
        return self.moments[self._phase :]

    def tell(self, moment: Moment, keep: Callable[[str], None]) -> None:
        """Show it, and keep it for the report."""
        if moment.kind is Kind.PLANTED:
            self.zero = moment.at
        self.moments.append(moment)
        keep(line(moment, self.zero))

    def until(
        self,
        kind: Kind,
        within_s: float,
        *,
        bad: Collection[Kind],
        keep: Callable[[str], None],
        check: Callable[[], None] = lambda: None,
    ) -> Moment:
        """The first moment of ``kind`` in this phase; ``check`` is called between the looks.

        Raises:
            LoopError: one of ``bad`` came before it, or it did not come in time.
        """
        deadline = time.monotonic() + within_s
        while True:
            for moment in self._news():
                self.tell(moment, keep)
            for moment in self.phase:
                if moment.kind is kind:
                    return moment
                if moment.kind in bad:
                    raise LoopError(f"{moment.text.splitlines()[0]}, while it was waited for {AWAITED[kind]}")
            if time.monotonic() > deadline:
                raise LoopError(f"it was waited for {AWAITED[kind]}, and there was none within {within_s:.0f} s")
            check()
            self._sleep(POLL_S)


AWAITED = {
    Kind.PLANTED: "the change of behaviour",
    Kind.QUIET_LOOK: "a look for drift",
    Kind.DRIFT: "a look that finds the drift",
    Kind.REQUESTED: "the request for a new model",
    Kind.CLAIMED: "a claim of the request",
    Kind.TRAINED: "a trained model",
    Kind.PASSED: "a model that passes the gates",
    Kind.REFUSED: "a model that the gates refuse",
    Kind.BEGUN: "the begin of a canary",
    Kind.STEP: "the next step of the canary",
    Kind.PROMOTED: "a promotion",
    Kind.TAKEN_BACK: "a guard that takes the model back",
    Kind.STOPPED: "a stop",
    Kind.FAILED: "a failure",
}


def line(moment: Moment, zero: datetime | None) -> str:
    """A line of the timeline, with the time since ``zero``."""
    since = "" if zero is None or moment.at < zero else f"+{clock((moment.at - zero).total_seconds())}"
    first, *others = moment.text.splitlines()
    head = f"  {moment.at.astimezone(UTC):%H:%M:%S}  {since:>7}  {first}"
    return "\n".join((head, *(f"{INDENT}{other}" for other in others)))


def clock(seconds: float) -> str:
    """Minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"
