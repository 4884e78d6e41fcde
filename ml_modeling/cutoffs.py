"""The moments entities are looked at, and which of them train, validate and test: split in time, with a gap."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from config.errors import TerminalError
from ml_modeling.specification import Cutoffs


class HistoryTooShortError(TerminalError):
    """Not enough history for the split; the message says how much there is and how much is needed."""


@dataclass(frozen=True)
class Split:
    """Cutoffs in ascending order.

    No label window of ``train`` reaches past the first ``validation`` cutoff, and none of ``train``, ``validation``
    and ``between`` past the first ``test`` cutoff. ``between`` are those the gap before validation leaves out: the
    final fit, which is only tested, uses them too.
    """

    train: tuple[date, ...]
    validation: tuple[date, ...]
    test: tuple[date, ...]
    between: tuple[date, ...] = ()

    @property
    def before_test(self) -> tuple[date, ...]:
        """Every cutoff the final fit may learn from."""
        return tuple(sorted({*self.train, *self.validation, *self.between}))

    @property
    def all(self) -> tuple[date, ...]:
        return (*self.before_test, *self.test)


def split_cutoffs(snapshots: Sequence[date], first: date, end: date, horizon: timedelta, rule: Cutoffs) -> Split:
    """The newest snapshots with a whole label window test, those a horizon before them validate, the rest train.

    ``first`` is the day of the first event; events are complete up to ``end`` (not included).

    Raises:
        HistoryTooShortError: a part stays empty, or ``train`` has fewer than the rule wants.
    """
    latest = end - horizon
    grid = _spaced([day for day in snapshots if day <= latest], rule.spacing_days)
    usable = [day for day in grid if day >= first + timedelta(days=rule.min_history_days)]
    test = usable[-rule.test :]
    before_test = [day for day in usable if test and day + horizon <= test[0]]
    validation = before_test[-rule.validation :]
    train = [day for day in before_test if day + horizon <= validation[0]]
    if len(test) < rule.test or len(validation) < rule.validation or len(train) < rule.train:
        raise HistoryTooShortError(_too_short(snapshots, first, end, horizon, rule))
    between = [day for day in before_test if day not in (*train, *validation)]
    return Split(tuple(train), tuple(validation), tuple(test), tuple(between))


def _spaced(snapshots: Sequence[date], spacing_days: int) -> list[date]:
    """The newest snapshot and each older one at least ``spacing_days`` before the one kept last."""
    kept: list[date] = []
    for day in sorted(set(snapshots), reverse=True):
        if not kept or day <= kept[-1] - timedelta(days=spacing_days):
            kept.append(day)
    return kept[::-1]


def _too_short(snapshots: Sequence[date], first: date, end: date, horizon: timedelta, rule: Cutoffs) -> str:
    parts = rule.train + rule.validation + rule.test - 3
    needed = rule.min_history_days + 3 * horizon.days + parts * rule.spacing_days
    have = (end - first).days
    found = f"{len(set(snapshots))} snapshots"
    if snapshots:
        found += f" from {min(snapshots)} to {max(snapshots)}"
    return (
        f"history too short for the split: {have} days of events ({first} to {end}) and {found}; training needs "
        f"about {needed} days ({rule.min_history_days} before the first cutoff, 3 label windows of {horizon.days}, "
        f"{parts} further cutoffs {rule.spacing_days} apart) with snapshots at those cutoffs"
    )
