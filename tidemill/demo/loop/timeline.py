"""The timeline: each moment is shown as it is seen, and waited for."""

import time
from collections.abc import Callable, Collection
from datetime import UTC, datetime

from tidemill.config.errors import TerminalError
from tidemill.demo.loop.moments import Kind, Moment

POLL_S = 2.0
ENDS_BADLY = frozenset({Kind.FAILED, Kind.REFUSED, Kind.STOPPED})


class LoopError(TerminalError):
    """The loop did not do what it is there for; the message says what it did instead, or did not do in time."""


class Timeline:
    """``zero`` is the moment that times are counted from, once there is one."""

    def __init__(self, news: Callable[[], list[Moment]], keep: Callable[[str], None]) -> None:
        self._news = news
        self._waiting: list[Moment] = []
        self.keep = keep
        self.moments: list[Moment] = []
        self.zero: datetime | None = None

    def tell(self, moment: Moment) -> None:
        """Show it, and keep it for the report."""
        if moment.kind is Kind.PLANTED:
            self.zero = moment.at
        self.moments.append(moment)
        self.keep(line(moment, self.zero))

    def look(self) -> None:
        """Tell what has happened since."""
        for moment in self._news():
            self.tell(moment)
            self._waiting.append(moment)

    def until(
        self, kind: Kind, within_s: float, check: Callable[[], None], bad: Collection[Kind] = ENDS_BADLY
    ) -> Moment:
        """The first moment of ``kind`` that was not waited for before, told as all others are.

        Raises:
            LoopError: one of ``bad`` came first, or nothing in time.
        """
        deadline = time.monotonic() + within_s
        while True:
            self.look()
            while self._waiting:
                moment = self._waiting.pop(0)
                if moment.kind is kind:
                    return moment
                if moment.kind in bad:
                    raise LoopError(f"waiting for {kind!r}: {moment.text.splitlines()[0]}")
            check()
            if time.monotonic() > deadline:
                raise LoopError(f"nothing was {kind.value} within {within_s:.0f} s")
            time.sleep(POLL_S)


def line(moment: Moment, zero: datetime | None) -> str:
    """A line of the timeline, with the time since ``zero``."""
    since = "" if zero is None or moment.at < zero else f" +{clock((moment.at - zero).total_seconds())}"
    first, *others = moment.text.splitlines()
    head = f"  {moment.at.astimezone(UTC):%H:%M:%S}{since:8} {first}"
    return "\n".join((head, *(f"{'':19}  {other}" for other in others)))


def clock(seconds: float) -> str:
    """Minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"
