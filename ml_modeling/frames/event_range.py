"""The days that a table of events covers, which its earliest and its latest row do not tell.

One event with a wrong year would be a range of decades, one stamped a day ahead would end it on a day that has hardly
begun. So a range is where events are dense: it begins as the days on which the middle of all events lies, and grows
from there over days that have enough of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import accumulate
from statistics import median

TAIL = 0.01
"""The share of all events, at either end, that a range has to prove itself for."""
ENOUGH = 0.1
"""A day counts with this share of the events of a typical one, the median of the days that have any."""
MAX_GAP = timedelta(days=14)
"""So far apart may days that count be: holidays are no end."""


@dataclass(frozen=True)
class EventRange:
    """Events cover the days from ``first`` up to ``end``, which is not included: it may not be over.

    ``before`` and ``after`` are how many events lie outside, ``earliest`` and ``latest`` the days of the last of them.
    """

    first: date
    end: date
    before: int = 0
    after: int = 0
    earliest: date | None = None
    latest: date | None = None

    @property
    def left_out(self) -> str:
        """What lies outside, in words; empty when nothing does."""
        parts = []
        if self.before:
            parts.append(f"{self.before} before {self.first} (from {self.earliest} on)")
        if self.after:
            parts.append(f"{self.after} after {self.end} (up to {self.latest})")
        return ", ".join(parts)


def event_range(counts: Mapping[date, int], today: date) -> EventRange:
    """The range of events, of which each day has ``counts`` (at least one day); none after ``today`` is in it."""
    days, enough = sorted(counts), ENOUGH * median(counts.values())
    dense = [day for day in days if counts[day] >= enough]
    begins, ends = _quantile(days, counts), _quantile(days[::-1], counts)
    first = _grown(begins, [day for day in reversed(dense) if day < begins])
    end = min(_grown(ends, [day for day in dense if day > ends]), today)
    before, after = [day for day in days if day < first], [day for day in days if day > end]
    return EventRange(
        first,
        end,
        before=sum(counts[day] for day in before),
        after=sum(counts[day] for day in after),
        earliest=min(before, default=None),
        latest=max(after, default=None),
    )


def _quantile(days: Sequence[date], counts: Mapping[date, int]) -> date:
    """The first of ``days``, in their order, by which more than the tail of all events has come."""
    tail = TAIL * sum(counts.values())
    so_far = accumulate(counts[day] for day in days)
    return next(day for day, events in zip(days, so_far, strict=True) if events > tail)


def _grown(start: date, outward: Sequence[date]) -> date:
    """How far one gets from ``start`` over the days ``outward`` of it without a gap."""
    reached = start
    for day in outward:
        if abs(day - reached) > MAX_GAP:
            break
        reached = day
    return reached
