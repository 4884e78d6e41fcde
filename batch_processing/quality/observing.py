"""From what was measured of each date to the number that an expectation holds against its bounds."""

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from statistics import median

from batch_processing.quality.dates import same_weekdays
from data_lake.expectations import Distribution, Freshness, Known, Measure, NullShare, Unique, Volume
from data_lake.expectations.kinds import LEAST_WEEKS, Kind

FURTHEST = sys.float_info.max
"""Infinitely far, as a number that each reader holds: JSON has no infinity, and no bound can be above this."""
NOT_OVER = "the day is not over"


@dataclass(frozen=True)
class Unmeasured:
    """Nothing could be measured, whatever the rows are; ``why`` says why."""

    why: str


Value = float | Sequence[float] | Unmeasured | None
"""What was measured of a date: a number, quantiles, or None when no row has any."""


@dataclass(frozen=True)
class Measured:
    """A date's ``rows``, and by expectation what was measured of it."""

    rows: int = 0
    values: Mapping[str, Value] = field(default_factory=dict)

    def number(self, key: str) -> float | None:
        value = self.values.get(key)
        return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None

    def numbers(self, key: str) -> Sequence[float] | None:
        value = self.values.get(key)
        return value if isinstance(value, Sequence) and all(map(math.isfinite, value)) else None


@dataclass(frozen=True)
class Observed:
    """``number`` is None when there is nothing to judge, and ``why`` says why; ``is_early``: not yet."""

    number: float | None
    why: str = ""
    is_early: bool = False


Days = Mapping[date, Measured]
EMPTY = Measured()


def observed(key: str, expectation: Kind, day: date, days: Days, today: date) -> Observed | None:
    """What there is to judge of ``day``; None when the expectation says nothing of this date."""
    measured = days.get(day, EMPTY)
    if isinstance(expectation, Freshness):
        number = measured.number(key)
        return None if number is None else Observed(number)
    if isinstance(expectation, Volume | Distribution) and day >= today:
        return Observed(None, NOT_OVER, is_early=True)
    if isinstance(expectation, Volume):
        return _volume(expectation, day, days)
    if not isinstance(expectation, Unique) and 0 < measured.rows < expectation.least_rows:
        return Observed(None, f"{measured.rows:,} rows, fewer than {expectation.least_rows:,}")
    if isinstance(expectation, Distribution):
        return _distribution(key, expectation, day, days)
    return _plain(key, expectation, measured)


def _plain(key: str, expectation: NullShare | Unique | Known | Measure, measured: Measured) -> Observed:
    number = measured.number(key)
    return Observed(number, "" if number is not None else _nothing(key, expectation, measured))


def _nothing(key: str, expectation: Kind, measured: Measured) -> str:
    if not measured.rows:
        return "no rows"
    if isinstance(value := measured.values.get(key), Unmeasured):
        return value.why
    return "no number" if isinstance(expectation, Measure) else "no row has a value to look at"


def _volume(expectation: Volume, day: date, days: Days) -> Observed:
    before = [rows for near in same_weekdays(day, expectation.weeks) if (rows := days.get(near, EMPTY).rows)]
    if len(before) < LEAST_WEEKS:
        return Observed(None, f"{len(before)} of the same weekday before, fewer than {LEAST_WEEKS}")
    usual = median(before)
    return Observed(days.get(day, EMPTY).rows / usual, f"{days.get(day, EMPTY).rows:,} rows, {usual:,.0f} are usual")


def _distribution(key: str, expectation: Distribution, day: date, days: Days) -> Observed:
    now = days.get(day, EMPTY).numbers(key)
    if now is None:
        return Observed(None, "no row has a value to look at")
    before = [
        quantiles
        for near in same_weekdays(day, expectation.weeks)
        if (quantiles := days.get(near, EMPTY).numbers(key)) is not None
    ]
    if len(before) < LEAST_WEEKS:
        return Observed(None, f"{len(before)} of the same weekday before, fewer than {LEAST_WEEKS}")
    usual = [median(values) for values in zip(*before, strict=True)]
    factor, place = max((_factor(*pair), place) for place, pair in enumerate(zip(now, usual, strict=True)))
    told = f"quantile {expectation.quantiles[place]:g} is {now[place]:g}, {usual[place]:g} is usual"
    return Observed(factor, told)


def _factor(here: float, there: float) -> float:
    """How many times one is the other, the larger over the smaller; of 0, or across it, there is no multiple so far."""
    if here == there:
        return 1.0
    if min(here, there) <= 0 <= max(here, there):
        return FURTHEST
    return min(max(here / there, there / here), FURTHEST)


def in_words(number: float) -> str:
    """Such as ``0.3333``, or ``infinite``."""
    return "infinite" if number == FURTHEST else f"{number:.4g}"
