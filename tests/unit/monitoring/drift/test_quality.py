"""Missing values, ranges, volume and freshness against hand calculations and simulation."""

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from monitoring.drift import EffectLimits
from monitoring.drift.proportions import Share, two_proportions_p_value
from monitoring.drift.quality import beyond_p_value, freshness, missing, out_of_range, volume
from monitoring.profiles import ColumnDefinition, Kind, NumericProfile, TableDefinition, TableProfile

LIMITS = EffectLimits()
ALPHA = 0.002
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def numeric(values: object, low: float | None = None, high: float | None = None) -> NumericProfile:
    profile = NumericProfile(low, high)
    profile.update(pa.array(values, pa.float64()))
    return profile


def table(rows: int, latest: datetime | None = None) -> TableProfile:
    profile = TableProfile.empty(TableDefinition((ColumnDefinition("x", Kind.NUMERIC),)))
    profile.rows, profile.latest = rows, latest
    return profile


@pytest.mark.parametrize("hits", [0, 1, 3, 8, 10])
def test_two_proportions_are_fishers_test(hits: int) -> None:
    before, now = Share(4, 30), Share(hits, 10)

    def chance(k: int) -> float:
        return math.comb(10, k) * math.comb(30, 4 + hits - k) / math.comb(40, 4 + hits) if k <= 4 + hits else 0.0

    lower, upper = sum(chance(k) for k in range(hits + 1)), sum(chance(k) for k in range(hits, 11))
    assert two_proportions_p_value(before, now) == pytest.approx(min(1.0, 2 * min(lower, upper)))


def test_a_null_rate_that_rises_is_found_and_one_that_stays_is_not() -> None:
    before = numeric([None, math.nan] * 100 + [1.0] * 9800)
    risen, same = numeric([None] * 100 + [1.0] * 900), numeric([None] * 20 + [1.0] * 980)
    assert missing("x", before, risen, LIMITS, ALPHA).matters
    assert missing("x", before, risen, LIMITS, ALPHA).p_value < 1e-20
    steady = missing("x", before, same, LIMITS, ALPHA)
    assert (steady.matters, steady.p_value) == (False, 1.0)


@pytest.mark.parametrize(
    ("beyond", "rows", "reference_rows", "expected"),
    [
        pytest.param(1, 1, 9, 1 / 10, id="one-of-ten"),
        pytest.param(2, 2, 2, 1 / 6, id="both-of-two"),
        pytest.param(0, 5, 5, 1.0, id="none"),
        pytest.param(2, 3, 4, 3 / 7 * 2 / 6, id="two-of-three"),
    ],
)
def test_rows_beyond_all_of_the_reference(beyond: int, rows: int, reference_rows: int, expected: float) -> None:
    assert beyond_p_value(beyond, rows, reference_rows) == pytest.approx(expected)


def test_rows_out_of_the_references_range_are_found() -> None:
    before = numeric(np.linspace(0, 1, 5000))
    assert out_of_range("x", before, numeric(np.linspace(0, 1, 1000)), LIMITS, ALPHA) is None
    within = out_of_range("x", before, numeric(np.linspace(0, 1, 1000), 0.0, 1.0), LIMITS, ALPHA)
    beyond = out_of_range("x", before, numeric(np.linspace(0, 1.02, 1000), 0.0, 1.0), LIMITS, ALPHA)
    assert (within.matters, within.p_value) == (False, 1.0)
    assert beyond.matters
    assert beyond.p_value < 1e-10


def test_a_declared_range_is_left_as_often_as_before() -> None:
    before = numeric(np.linspace(0, 1, 5000), 0.1, 0.9)
    same = out_of_range("x", before, numeric(np.linspace(0, 1, 500), 0.1, 0.9), LIMITS, ALPHA)
    more = out_of_range("x", before, numeric(np.linspace(-1, 2, 500), 0.1, 0.9), LIMITS, ALPHA)
    assert (same.matters, same.p_value > 0.9) == (False, True)
    assert (more.matters, more.p_value < 1e-10) == (True, True)


def test_a_window_without_rows_is_a_breach() -> None:
    finding = volume(table(0), [], 2.0)
    assert (finding.matters, finding.p_value) == (True, None)


def test_volume_is_held_against_earlier_windows() -> None:
    volumes = [980, 1010, 1050, 990, 940, 1030, 1000, 970, 1020, 1005]
    usual, third = volume(table(1040), volumes, 2.0), volume(table(330), volumes, 2.0)
    assert (usual.matters, usual.p_value > 0.05) == (False, True)
    assert (third.matters, third.p_value < 1e-5) == (True, True)
    assert third.statistics[0].value == pytest.approx(1000 / 330, rel=0.02)


def test_volume_without_a_history_is_unknown() -> None:
    assert volume(table(100), [100] * 7, 2.0).unknown is not None


def test_volumes_that_vary_by_chance_alone_raise_few_alarms() -> None:
    random = np.random.default_rng(0)
    p_values = [
        volume(table(int(random.poisson(50))), random.poisson(50, 20).tolist(), 2.0).p_value for _ in range(400)
    ]
    assert np.mean(np.array(p_values) < 0.05) < 0.08


def test_freshness_is_a_rule() -> None:
    late, early = (freshness(table(1, NOON - timedelta(hours=h)), NOON, timedelta(hours=6)) for h in (7, 5))
    assert (late.matters, early.matters, late.p_value) == (True, False, None)
    assert freshness(table(1), NOON, timedelta(hours=6)).unknown is not None
