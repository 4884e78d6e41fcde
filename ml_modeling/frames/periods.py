"""The split of events that are asked about at their own time: periods of days, apart by as long as labels take.

    ── fit_days ──│ labels come │── validation_days ──│ labels come │── test_days ──│ labels come │ end

The final fit is as long as the first, and ends where validation does: as late as its labels are known before the test.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import pandas as pd

from ml_modeling.frames.splits import HistoryTooShortError, Mask, Part
from ml_modeling.specification import Periods


@dataclass(frozen=True)
class Period:
    """Days from ``begin`` up to ``end``, which is not included."""

    begin: date
    end: date

    def __str__(self) -> str:
        return f"{self.begin}..{self.end - timedelta(days=1)}"


EMBARGO = "period.embargo_days"
"""The parameter of a run that has it."""


@dataclass(frozen=True)
class PeriodSplit:
    """``embargo`` is how long after the end of a fit the next part begins: nearly all of its labels are known then."""

    train: Period
    validation: Period
    fit: Period
    test: Period
    embargo: timedelta

    @property
    def parts(self) -> Mapping[Part, Period]:
        return {Part.TRAIN: self.train, Part.VALIDATION: self.validation, Part.FIT: self.fit, Part.TEST: self.test}

    @property
    def reach(self) -> Period:
        """From the first to the last day of any part."""
        return Period(min(self.train.begin, self.fit.begin), self.test.end)

    def holds(self, part: Part, times: "pd.Series[pd.Timestamp]") -> Mask:
        """Whether each of ``times`` lies in the part's period."""
        period = self.parts[part]
        return ((times >= pd.Timestamp(period.begin)) & (times < pd.Timestamp(period.end))).to_numpy()

    def known_by(self, part: Part) -> datetime:
        """The begin of the next part: a label that comes later is not there to learn from."""
        following = {Part.TRAIN: self.validation, Part.VALIDATION: self.test, Part.FIT: self.test}
        return datetime.combine(following[part].begin, time()) if part in following else datetime.max

    def described(self) -> Mapping[str, str]:
        """The days of each part, and the embargo."""
        periods = {f"period.{part.replace(' ', '_')}": str(period) for part, period in self.parts.items()}
        return {**periods, EMBARGO: str(self.embargo.days)}


def embargo(delays: Mapping[int, int], share: float) -> timedelta:
    """The whole days by which at least ``share`` of the labels have come; ``delays`` counts labels by days it took."""
    total, reached = sum(delays.values()), 0
    for days in sorted(delays):
        reached += delays[days]
        if reached >= share * total:
            return timedelta(days=days)
    raise HistoryTooShortError("no event has its label yet: feed the events that say what became of them")


def split_periods(
    first: date, end: date, gap: timedelta, rule: Periods, window: timedelta | None = None
) -> PeriodSplit:
    """The newest days test, those an embargo before them validate and make the final fit, the rest trains.

    Events that have their labels cover the days from ``first`` up to ``end`` (not included). With a ``window``, the
    fit is as long as lets all parts, and the waits for their labels, lie within it.

    Raises:
        HistoryTooShortError: the first fit would begin before there is history enough, or the window is too short.
    """
    validation_days, test_days = timedelta(rule.validation_days), timedelta(rule.test_days)
    fit_days = timedelta(rule.fit_days) if window is None else _fit_within(window, gap, rule)
    test = Period(end - test_days, end)
    validation = Period(test.begin - gap - validation_days, test.begin - gap)
    fit = Period(validation.end - fit_days, validation.end)
    train = Period(validation.begin - gap - fit_days, validation.begin - gap)
    needed = first + timedelta(rule.min_history_days)
    if min(train.begin, fit.begin) < needed:
        asked = fit_days.days + rule.validation_days + rule.test_days + rule.min_history_days
        raise HistoryTooShortError(
            f"history too short for the split: {max((end - first).days, 0)} days of events with labels ({first} to "
            f"{end}); training needs {asked + 2 * gap.days} ({rule.min_history_days} before the first fit, "
            f"{fit_days.days} to fit, {rule.validation_days} to validate, {rule.test_days} to test, and twice "
            f"{gap.days} until labels come)"
        )
    return PeriodSplit(train, validation, fit, test, gap)


def _fit_within(window: timedelta, gap: timedelta, rule: Periods) -> timedelta:
    others = timedelta(rule.validation_days + rule.test_days) + 3 * gap
    if window <= others:
        raise HistoryTooShortError(
            f"a window of {window.days} days leaves none to fit: {rule.validation_days} validate, {rule.test_days} "
            f"test, and labels are waited for three times {gap.days} days: ask for more than {others.days}, or for none"
        )
    return window - others
