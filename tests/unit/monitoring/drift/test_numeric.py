"""Distances between sketches against SciPy's on the values, and what chance alone gives against simulation."""

import math

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from monitoring.drift import EffectLimits
from monitoring.drift.null_distribution import ks_at_chance, wasserstein_at_chance
from monitoring.drift.numeric import (
    bin_edges,
    binned,
    distribution,
    inverse_effective_rows,
    ks_distance,
    ks_p_value,
    wasserstein_distance,
)
from monitoring.profiles import NumericProfile
from monitoring.profiles.quantiles import Quantiles

LIMITS = EffectLimits()
ALPHA = 0.002


def numeric(values: object) -> NumericProfile:
    profile = NumericProfile()
    profile.update(pa.array(values, pa.float64()))
    return profile


def sketch(values: object) -> Quantiles:
    return numeric(values).quantiles


def kolmogorov(x: float) -> float:
    """Smirnov's series."""
    return 2 * sum((-1) ** (k - 1) * math.exp(-2 * k * k * x * x) for k in range(1, 100))


PAIRS = [
    pytest.param([1.0, 2.0, 3.0], [2.0, 3.0, 4.0, 5.0], id="few"),
    pytest.param([0.0] * 5 + [1.0], [0.0, 1.0, 1.0], id="ties"),
    pytest.param(np.random.default_rng(0).normal(size=400), np.random.default_rng(1).normal(1, 2, 300), id="normal"),
    pytest.param(np.random.default_rng(2).pareto(1, 500), np.random.default_rng(3).pareto(1.2, 700), id="heavy-tails"),
    pytest.param([3.0], [7.5], id="one-each"),
]


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_distances_of_columns_kept_whole_are_exact(one: list[float], other: list[float]) -> None:
    assert ks_distance(sketch(one), sketch(other)) == pytest.approx(stats.ks_2samp(one, other).statistic)
    expected = stats.wasserstein_distance(one, other)
    assert wasserstein_distance(sketch(one), sketch(other)) == pytest.approx(expected)


def test_distances_of_sketches_are_close_to_those_of_the_values() -> None:
    random = np.random.default_rng(4)
    one, other = random.normal(size=100_000), random.normal(0.3, 1.1, 40_000)
    assert ks_distance(sketch(one), sketch(other)) == pytest.approx(stats.ks_2samp(one, other).statistic, abs=0.008)
    true = stats.wasserstein_distance(one, other)
    assert wasserstein_distance(sketch(one), sketch(other)) == pytest.approx(true, abs=0.03)


def test_the_p_value_is_kolmogorovs_of_both_sample_sizes() -> None:
    random = np.random.default_rng(5)
    one, other = random.normal(size=700), random.normal(0.15, size=250)
    distance = ks_distance(sketch(one), sketch(other))
    inverse_rows = inverse_effective_rows(sketch(one), sketch(other))
    assert inverse_rows == pytest.approx(1 / 700 + 1 / 250)
    p_value = ks_p_value(distance, inverse_rows)
    assert p_value == pytest.approx(kolmogorov(distance * math.sqrt(700 * 250 / 950)))
    assert p_value == pytest.approx(stats.ks_2samp(one, other, method="exact").pvalue, rel=0.25)


def test_sketches_make_the_test_count_for_fewer_rows() -> None:
    one, other = sketch(np.arange(100_000.0)), sketch(np.arange(500.0))
    error = 0.0034538 / 2.576
    assert inverse_effective_rows(one, other) == pytest.approx(1 / 100_000 + 1 / 500 + 4 * error**2, rel=1e-3)


@pytest.mark.parametrize(
    ("values", "edges"),
    [
        pytest.param(list(range(1, 101)), [10, 20, 30, 40, 50, 60, 70, 80, 90], id="even"),
        pytest.param([7.0] * 50, [math.nextafter(7, -math.inf), 7], id="constant"),
        pytest.param([0.0] * 60 + list(range(1, 41)), [math.nextafter(0, -math.inf), 0, 10, 20, 30], id="mostly-zero"),
    ],
)
def test_bins_are_deciles_and_a_frequent_value_has_its_own(values: list[float], edges: list[float]) -> None:
    assert bin_edges(sketch(values)).tolist() == edges


def test_rows_are_counted_in_the_bins_of_the_reference() -> None:
    cells = binned(sketch(range(1, 101)), sketch([-5.0, 10.0, 10.5, 95.0, 1000.0]))
    assert cells.reference.tolist() == pytest.approx([10] * 10)
    assert cells.current.tolist() == pytest.approx([2, 1, 0, 0, 0, 0, 0, 0, 0, 2])


COLUMNS = {
    "normal": lambda random, size: random.normal(size=size),
    "lognormal": lambda random, size: random.lognormal(sigma=1.5, size=size),
    "counts": lambda random, size: random.poisson(2, size).astype(float),
    "mostly-zero": lambda random, size: np.where(random.random(size) < 0.8, 0.0, random.exponential(size=size)),
}


@pytest.mark.parametrize("column", COLUMNS)
def test_a_calibrated_threshold_is_exceeded_as_often_as_resampling_says(column: str) -> None:
    random = np.random.default_rng(6)
    reference = COLUMNS[column](random, 700)  # kept whole, so that the figures are the same in every run
    before, size, alpha = sketch(reference), 500, 0.1
    limit = wasserstein_at_chance(before, 1 / size, alpha)
    ks_limit = ks_at_chance(1 / size, alpha)
    samples = [random.choice(reference, size) for _ in range(300)]
    beyond = np.mean([stats.wasserstein_distance(reference, sample) > limit for sample in samples])
    assert 0.05 < beyond < 0.16
    grid = np.unique(reference)
    cdf = np.searchsorted(np.sort(reference), grid, side="right") / len(reference)
    distances = [np.abs(np.searchsorted(np.sort(s), grid, side="right") / size - cdf).max() for s in samples]
    assert np.mean(np.array(distances) > ks_limit) < 0.15


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("size", [300, 5000])
def test_p_values_without_drift_are_no_smaller_than_they_should(column: str, size: int) -> None:
    random = np.random.default_rng(7)
    p_values = []
    for _ in range(80):
        before, now = (numeric(COLUMNS[column](random, rows)) for rows in (4000, size))
        p_values.append(distribution("x", before, now, LIMITS, ALPHA).p_value)
    assert np.mean(np.array(p_values) < 0.1) < 0.1 + 3 * math.sqrt(0.09 / 80)
    assert min(p_values) > 1e-5


@pytest.mark.parametrize(
    ("change", "statistic"),
    [
        pytest.param(lambda x: x + 0.25, "wasserstein", id="mean"),
        pytest.param(lambda x: x + 0.25, "kolmogorov_smirnov", id="mean-ks"),
        pytest.param(lambda x: x + 0.25, "psi", id="mean-psi"),
        pytest.param(lambda x: x * 1.5, "psi", id="spread"),
        pytest.param(lambda x: np.where(x > 1, 1.0, x), "psi", id="capped"),
    ],
)
def test_a_changed_distribution_is_found_by_effect_and_p_value(change: object, statistic: str) -> None:
    random = np.random.default_rng(8)
    before, now = numeric(random.normal(size=20_000)), numeric(change(random.normal(size=5000)))
    finding = distribution("x", before, now, LIMITS, ALPHA)
    assert finding.p_value < 1e-8
    assert {s.name: s for s in finding.statistics}[statistic].matters


def test_a_moved_mean_shows_as_what_it_is() -> None:
    random = np.random.default_rng(9)
    before, now = numeric(random.normal(10, 3, 50_000)), numeric(random.normal(10.75, 3, 20_000))
    shifts = {s.name: s.shift for s in distribution("x", before, now, LIMITS, ALPHA).statistics}
    assert shifts["wasserstein"] == pytest.approx(0.25, abs=0.03)
    assert shifts["kolmogorov_smirnov"] == pytest.approx(0.25, abs=0.03)
    assert shifts["psi"] == pytest.approx(0.25, abs=0.03)


def test_a_constant_that_becomes_another_is_found() -> None:
    finding = distribution("x", numeric([1.0] * 1000), numeric([2.0] * 500), LIMITS, ALPHA)
    assert finding.p_value < 1e-50
    assert {s.name for s in finding.statistics if s.matters} == {"kolmogorov_smirnov", "psi"}


def test_a_constant_that_stays_is_steady() -> None:
    finding = distribution("x", numeric([1.0] * 1000), numeric([1.0] * 500), LIMITS, ALPHA)
    assert (finding.p_value, finding.matters) == (1.0, False)


def test_limits_are_what_a_small_window_shows_by_chance() -> None:
    random = np.random.default_rng(10)
    before = numeric(random.normal(size=20_000))
    small, large = (
        {s.name: s.limit for s in distribution("x", before, numeric(random.normal(size=n)), LIMITS, ALPHA).statistics}
        for n in (200, 20_000)
    )
    assert large == pytest.approx(
        {"kolmogorov_smirnov": LIMITS.kolmogorov_smirnov, "psi": 0.125**2, "wasserstein": 0.125}
    )
    assert small["psi"] > 5 * large["psi"]
    assert small["wasserstein"] > large["wasserstein"]
