"""From what was measured of dates to outcomes, judged by Great Expectations; no JVM is asked."""

import sys
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from batch_processing.quality.check import judge
from batch_processing.quality.observing import Measured, Unmeasured
from batch_processing.quality.results import Result
from data_lake.expectations import Expectation, Suite

DAY = date(2026, 3, 30)
NOW = datetime(2026, 3, 31, 6, tzinfo=UTC)


def suite_of(**expectation: Any) -> Suite:
    kind: Any = TypeAdapter(Expectation).validate_python(expectation)
    return Suite("shop.it", Path("it.yaml"), "silver/transactions", "", {"it": kind}, "digest")


def weeks(*measured: Measured | None, ending: date = DAY) -> dict[date, Measured]:
    """What was measured of a weekday, week after week; None for a day on which nothing came."""
    last = len(measured) - 1
    by_day = {ending - timedelta(weeks=last - number): of for number, of in enumerate(measured)}
    return {day: of for day, of in by_day.items() if of is not None}


def rows(*counts: int | None) -> dict[date, Measured]:
    return weeks(*(None if count is None else Measured(count) for count in counts))


def values(*numbers: Any) -> dict[date, Measured]:
    return weeks(*(Measured(10, {"shop.it:it": number}) for number in numbers))


def verdict(suite: Suite, measured: Mapping[date, Measured], day: date = DAY, now: datetime = NOW) -> Result:
    (result,) = judge(suite, [day], measured, 7, now)
    return result


def outcome(suite: Suite, measured: Mapping[date, Measured]) -> tuple[str, float | None]:
    result = verdict(suite, measured)
    return result.outcome, result.observed


VOLUME = suite_of(kind="volume", min=0.5, max=2)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ((100, 100, 100, 100, 50), ("passed", 0.5)),
        ((100, 100, 100, 100, 49), ("failed", 0.49)),
        ((100, 100, 100, 100, 200), ("passed", 2.0)),
        ((100, 100, 100, 100, 201), ("failed", 2.01)),
        ((1, 100, 100, 900, 100), ("passed", 1.0)),  # one odd week is no measure of the usual
        ((100, 100, 100, 100, None), ("failed", 0.0)),  # nothing came
        ((None, None, 80, 120, 100), ("passed", 1.0)),
        ((100, 100, 0, 0, 45), ("failed", 0.45)),  # a day without rows that was judged says not what is usual either
        ((0, 0, 0, 0, 0), ("unknown", None)),  # always closed on this weekday
        ((0, 0, 0, 0, 7), ("unknown", None)),
        ((None, None, None, 120, 100), ("unknown", None)),  # one week says not what is usual
        ((9_000, 100, 100, 100, 100, 100), ("passed", 1.0)),  # of five weeks ago nobody asks
    ],
)
def test_volume_is_held_against_the_median_of_the_same_weekday(
    counts: tuple[int | None, ...], expected: tuple[str, float | None]
) -> None:
    assert outcome(VOLUME, rows(*counts)) == expected


def test_a_day_that_is_not_over_is_not_judged_by_its_volume_yet() -> None:
    early = verdict(VOLUME, rows(100, 100, 1), now=datetime(2026, 3, 30, 23, 59, tzinfo=UTC))
    assert (early.outcome, early.observed, early.why) == ("early", None, "the day is not over")
    late = verdict(VOLUME, rows(100, 100, 1), now=datetime(2026, 3, 31, 0, 0, tzinfo=UTC))
    assert (late.outcome, late.observed, late.why) == ("failed", 0.01, "1 rows, 100 are usual")


AMOUNTS = suite_of(kind="distribution", of="a", quantiles=[0.5, 0.9], factor=3, least_rows=10)


@pytest.mark.parametrize(
    ("quantiles", "expected"),
    [
        (([10, 20], [10, 20], [30, 60]), ("passed", 3.0)),
        (([10, 20], [10, 20], [10, 61]), ("failed", 3.05)),
        (([10, 20], [10, 20], [2, 20]), ("failed", 5.0)),  # less counts as more does
        (([10, 20], [10, 20], [0, 20]), ("failed", sys.float_info.max)),  # no factor is so far
        (([10, 20], [10, 20], [0, 0]), ("failed", sys.float_info.max)),
        (([0, 0], [0, 0], [0, 5]), ("failed", sys.float_info.max)),
        (([0, 20], [0, 20], [0, 40]), ("passed", 2.0)),
        (([0, 0], [0, 0], [0, 0]), ("passed", 1.0)),
        (([-10, 20], [-10, 20], [-20, 20]), ("passed", 2.0)),
        (([-10, 20], [-10, 20], [10, 20]), ("failed", sys.float_info.max)),
        (([1e-300, 20], [1e-300, 20], [1e300, 20]), ("failed", sys.float_info.max)),
        (([10, 20], [10, 20], [float("nan"), 20]), ("unknown", None)),
        (([10, 20], [10, 20], None), ("unknown", None)),
        (([10, 20], [30, 60]), ("unknown", None)),
    ],
)
def test_a_distribution_is_as_far_off_as_its_quantile_that_is_furthest(
    quantiles: tuple[Any, ...], expected: tuple[str, float | None]
) -> None:
    assert outcome(AMOUNTS, values(*quantiles)) == expected


def test_the_quantile_that_is_furthest_is_told() -> None:
    assert verdict(AMOUNTS, values([10, 20], [10, 20], [10, 80])).why == "quantile 0.9 is 80, 20 is usual"


def test_what_is_infinitely_far_is_told_in_words() -> None:
    fell = verdict(AMOUNTS, values([10, 20], [10, 20], [0, 20]))
    assert str(fell) == "2026-03-30 shop.it.it: distribution infinite, at most 3 (quantile 0.5 is 0, 10 is usual)"


@pytest.mark.parametrize(
    ("expectation", "number", "expected"),
    [
        ({"kind": "null_share", "column": "a", "max": 0.2}, 0.2, "passed"),
        ({"kind": "null_share", "column": "a", "max": 0.2}, 0.21, "failed"),
        ({"kind": "unique", "columns": ["a"]}, 0.0, "passed"),
        ({"kind": "unique", "columns": ["a"]}, 0.001, "failed"),
        ({"kind": "known", "column": "a", "table": "t"}, 0.0, "passed"),
        ({"kind": "known", "column": "a", "table": "t"}, 0.5, "failed"),
        ({"kind": "known", "column": "a", "table": "t"}, None, "unknown"),
        ({"kind": "freshness", "within_h": 26}, 26.0, "passed"),
        ({"kind": "freshness", "within_h": 26}, 26.1, "failed"),
        ({"kind": "measure", "sql": "s", "min": 1, "max": 2}, 0.9, "failed"),
        ({"kind": "measure", "sql": "s", "min": 1, "max": 2}, 1.0, "passed"),
        ({"kind": "measure", "sql": "s", "min": 1, "max": 2}, 2.1, "failed"),
        ({"kind": "measure", "sql": "s", "min": 1}, float("nan"), "unknown"),
    ],
)
def test_a_number_is_held_against_its_bounds_which_are_within(
    expectation: dict[str, Any], number: float | None, expected: str
) -> None:
    assert verdict(suite_of(**expectation), values(number)).outcome == expected


def test_a_table_that_is_not_there_to_know_values_is_named() -> None:
    known = suite_of(kind="known", column="a", table="silver/clicks")
    result = verdict(known, values(Unmeasured("there is no silver/clicks yet")))
    assert (result.outcome, result.observed, result.why) == ("unknown", None, "there is no silver/clicks yet")
    assert verdict(known, values(None)).why == "no row has a value to look at"


def test_each_date_has_its_own_outcome() -> None:
    suite = suite_of(kind="null_share", column="a", max=0.2)
    measured = values(0.1, 0.9, None, 0.1, 0.9)
    outcomes = {result.event_date: result.outcome for result in judge(suite, sorted(measured), measured, 7, NOW)}
    assert list(outcomes.values()) == ["passed", "failed", "unknown", "passed", "failed"]


def test_freshness_says_nothing_of_other_dates_than_the_newest() -> None:
    assert list(judge(suite_of(kind="freshness", within_h=1), [DAY], {DAY: Measured(5)}, 7, NOW)) == []


def test_a_result_says_what_it_is_about_and_by_what_it_was_judged() -> None:
    result = verdict(suite_of(kind="null_share", column="a", max=0.25, severity="warning"), values(0.5))
    assert not result.stops
    assert str(result) == "2026-03-30 shop.it.it: null_share 0.5, at most 0.25"
    assert (result.table_name, result.suite_digest, result.rows) == ("silver/transactions", "digest", 10)
    assert (result.low, result.high, result.source_version, result.judged_at) == (None, 0.25, 7, NOW)


def test_of_a_date_with_too_few_rows_nothing_is_said() -> None:
    suite = suite_of(kind="null_share", column="a", max=0.2, least_rows=11)
    result = verdict(suite, values(0.9))
    assert (result.outcome, result.observed, result.why) == ("unknown", None, "10 rows, fewer than 11")
    enough = suite_of(kind="null_share", column="a", max=0.2, least_rows=10)
    assert verdict(enough, values(0.9)).outcome == "failed"
