"""The moments entities are looked at, and which of them train, validate and test: split in time, with a gap."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import pandas as pd

from ml_modeling.frames.splits import HistoryTooShortError, Mask, Part
from ml_modeling.specification import Cutoffs


@dataclass(frozen=True)
class CutoffSplit:
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

    @property
    def parts(self) -> Mapping[Part, tuple[date, ...]]:
        return {
            Part.TRAIN: self.train,
            Part.VALIDATION: self.validation,
            Part.FIT: self.before_test,
            Part.TEST: self.test,
        }

    def holds(self, part: Part, times: "pd.Series[pd.Timestamp]") -> Mask:
        """Whether each of ``times`` is a cutoff of the part."""
        return times.isin(pd.to_datetime(list(self.parts[part]))).to_numpy()

    def known_by(self, part: Part) -> datetime:
        """The first cutoff of the next part; no label of the test is used before it is known."""
        following = {Part.TRAIN: self.validation, Part.VALIDATION: self.test, Part.FIT: self.test}
        return datetime.combine(following[part][0], time()) if part in following else datetime.max

    def described(self) -> Mapping[str, str]:
        """The first and the last cutoff of each part, and how many there are."""
        names = {part: part.replace(" ", "_") for part in self.parts}
        return {f"cutoffs.{names[part]}": f"{days[0]}..{days[-1]} ({len(days)})" for part, days in self.parts.items()}


def split_cutoffs(
    first: date, end: date, horizon: timedelta, rule: Cutoffs, window: timedelta | None = None
) -> CutoffSplit:
    """The newest days with a whole label window test, those a horizon before them validate, the rest train.

    Events cover the days from ``first`` up to ``end`` (not included). With a ``window``, no cutoff lies further before
    ``end``; what features see before a cutoff does not depend on it.

    Raises:
        HistoryTooShortError: a part stays empty, or ``train`` has fewer than the rule wants.
    """
    spacing, earliest, latest = timedelta(rule.spacing_days), first + timedelta(rule.min_history_days), end - horizon
    if window is not None:
        earliest = max(earliest, end - window)
    usable = [latest - spacing * back for back in range((latest - earliest) // spacing, -1, -1)]
    test = usable[-rule.test :]
    before_test = [day for day in usable if test and day + horizon <= test[0]]
    validation = before_test[-rule.validation :]
    train = [day for day in before_test if day + horizon <= validation[0]]
    if len(test) < rule.test or len(validation) < rule.validation or len(train) < rule.train:
        raise HistoryTooShortError(_too_short(first, end, horizon, rule, window))
    between = [day for day in before_test if day not in (*train, *validation)]
    return CutoffSplit(tuple(train), tuple(validation), tuple(test), tuple(between))


def _too_short(first: date, end: date, horizon: timedelta, rule: Cutoffs, window: timedelta | None) -> str:
    parts = rule.train + rule.validation + rule.test - 3
    least = 3 * horizon.days + parts * rule.spacing_days
    if window is not None and window.days < least:
        return (
            f"a window of {window.days} days is too short for the split: it needs {least} days (3 label windows of "
            f"{horizon.days}, {parts} further cutoffs {rule.spacing_days} apart): ask for a longer one, or for none"
        )
    needed = rule.min_history_days + 3 * horizon.days + parts * rule.spacing_days
    return (
        f"history too short for the split: {(end - first).days} days of events ({first} to {end}); training needs "
        f"about {needed} days ({rule.min_history_days} before the first cutoff, 3 label windows of {horizon.days}, "
        f"{parts} further cutoffs {rule.spacing_days} apart)"
    )
