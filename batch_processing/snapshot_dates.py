"""Which days have a customer snapshot, and which of them a change of the past makes stale."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

MONDAY = date(1970, 1, 5)
ONE_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Plan:
    """The snapshots ``replaced``, all from the day ``since`` on, give way to those of the days ``recompute``."""

    since: date
    replaced: tuple[date, ...]
    recompute: tuple[date, ...]

    @property
    def is_nothing(self) -> bool:
        return not self.replaced and not self.recompute


def grid(first: date, newest: date, every: int) -> tuple[date, ...]:
    """The snapshot days of events from ``first`` to ``newest``.

    Every ``every`` days counted from a fixed Monday, so that an older event found later moves none of them; and
    ``newest`` itself, the last day whose past is complete.
    """
    offset = (first - MONDAY).days % every
    start = first + timedelta(days=every - offset)
    regular = [start + timedelta(days=step) for step in range(0, (newest - start).days + 1, every)]
    return tuple(sorted({*regular, newest} - {first}))


def plan(wanted: Sequence[date], existing: Sequence[date], changed: Sequence[date] | None) -> Plan:
    """What makes ``existing`` into ``wanted`` when the days ``changed`` (None: all) got other events.

    A snapshot covers the days before it, so those after the earliest changed day are stale. A day that is no longer
    wanted was the newest one of an earlier run, and a day that is missing has become wanted since.
    """
    after = date.min if changed is None else min(changed, default=date.max - ONE_DAY) + ONE_DAY
    since = min(after, *(set(wanted) ^ set(existing)), date.max)
    replaced, recompute = (tuple(sorted(day for day in days if day >= since)) for days in (existing, wanted))
    return Plan(since, replaced, recompute)
