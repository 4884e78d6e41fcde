"""PSI, the chi-square test and Benjamini-Hochberg against SciPy, published figures and hand calculations."""

import math

import numpy as np
import pytest
from scipy import stats

from monitoring.drift.cells import Cells, homogeneity_p_value, pool, psi, psi_at_chance
from monitoring.drift.false_discoveries import adjusted_p_values
from monitoring.drift.proportions import Share


def cells(reference: list[float], current: list[float], share_variance: float = 0.0) -> Cells:
    return Cells(np.array(reference, dtype=float), np.array(current, dtype=float), share_variance)


def test_psi_of_smoothed_shares_by_hand() -> None:
    # (50.5, 30.5, 20.5) of 101.5 against (20.5, 20.5, 10.5) of 51.5
    expected = (
        (20.5 / 51.5 - 50.5 / 101.5) * math.log((20.5 / 51.5) / (50.5 / 101.5))
        + (20.5 / 51.5 - 30.5 / 101.5) * math.log((20.5 / 51.5) / (30.5 / 101.5))
        + (10.5 / 51.5 - 20.5 / 101.5) * math.log((10.5 / 51.5) / (20.5 / 101.5))
    )
    assert psi(cells([50, 30, 20], [20, 20, 10])) == pytest.approx(expected, rel=1e-12)


def test_psi_of_an_empty_cell_is_finite() -> None:
    value = psi(cells([100, 0], [90, 10]))
    # 100.5 and 0.5 of 101 against 90.5 and 10.5 of 101
    assert value == pytest.approx(10 / 101 * math.log(100.5 / 90.5) + 10 / 101 * math.log(10.5 / 0.5), rel=1e-12)


def test_psi_of_equal_shares_is_nothing() -> None:
    assert psi(cells([500, 500], [500, 500])) == 0


@pytest.mark.parametrize("rows", [(400, 300), (5000, 1000), (300, 20_000)])
def test_psi_by_chance_is_what_simulation_shows(rows: tuple[int, int]) -> None:
    random = np.random.default_rng(0)
    shares = np.array([0.3, 0.25, 0.2, 0.1, 0.1, 0.05])
    values = [psi(Cells(*(random.multinomial(n, shares).astype(float) for n in rows))) for _ in range(3000)]
    limit = psi_at_chance(cells([rows[0] / 6] * 6, [rows[1] / 6] * 6), 0.05)
    assert np.mean(np.array(values) > limit) == pytest.approx(0.05, abs=0.015)


@pytest.mark.parametrize(
    ("reference", "current"),
    [
        pytest.param([50, 30, 20], [20, 20, 10], id="alike"),
        pytest.param([500, 300, 200], [200, 200, 300], id="apart"),
        pytest.param([10_000, 900], [500, 100], id="rarer"),
    ],
)
def test_the_chi_square_test_is_pearsons(reference: list[int], current: list[int]) -> None:
    expected = stats.chi2_contingency([reference, current], correction=False).pvalue
    assert homogeneity_p_value(cells(reference, current)) == pytest.approx(expected, rel=1e-9)


def test_small_cells_are_pooled_until_none_is() -> None:
    # The lesser side has a quarter of the rows: cells of fewer than 20 in all expect fewer than 5.
    pooled = pool(cells([3, 100, 9, 200, 6], [1, 30, 3, 70, 2]))
    rows = zip(pooled.large.reference.tolist(), pooled.large.current.tolist(), strict=True)
    assert sorted(rows) == [(18, 6), (100, 30), (200, 70)]
    assert pooled.small is None


def test_cells_that_are_too_small_even_together_stand_apart() -> None:
    pooled = pool(cells([4, 100, 200], [0, 30, 70]))
    assert sorted(pooled.large.reference.tolist()) == [100, 200]
    assert pooled.small == (Share(4, 304), Share(0, 100))


def test_of_sketches_they_join_a_larger_cell() -> None:
    pooled = pool(cells([4, 100, 200], [0, 30, 70], 1e-6))
    assert sorted(pooled.large.reference.tolist()) == [104, 200]


def test_a_category_that_was_rare_and_no_longer_is_is_found() -> None:
    expected = stats.fisher_exact([[10_000, 20], [500, 30]], alternative="less").pvalue
    smaller = min(expected, stats.fisher_exact([[10_000, 20], [500, 30]], alternative="greater").pvalue)
    assert homogeneity_p_value(cells([10_000, 20], [500, 30])) == pytest.approx(2 * smaller, rel=1e-6)


def test_empty_cells_say_nothing() -> None:
    assert homogeneity_p_value(cells([300, 0, 200], [300, 0, 200])) == 1.0
    assert homogeneity_p_value(cells([300, 0], [200, 0])) == 1.0


def test_the_variance_of_sketches_makes_the_test_more_careful() -> None:
    without = homogeneity_p_value(cells([5000, 5000], [4800, 5200]))
    assert homogeneity_p_value(cells([5000, 5000], [4800, 5200], 0.002**2)) > without
    # (0.02)**2 over 1/4 (2/10000) + 0.002**2, twice, of one degree of freedom
    statistic = 2 * 0.02**2 / (0.5 * 2e-4 + 0.002**2)
    expected = math.erfc(math.sqrt(statistic / 2))
    assert homogeneity_p_value(cells([5000, 5000], [4800, 5200], 0.002**2)) == pytest.approx(expected, rel=0.01)


PAPER = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459]
PAPER += [0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000]


def test_the_example_of_benjamini_and_hochberg_has_four_discoveries() -> None:
    shuffled = np.random.default_rng(1).permutation(PAPER)
    adjusted = adjusted_p_values(shuffled)
    assert sorted(shuffled[adjusted <= 0.05].tolist()) == PAPER[:4]
    assert (np.array(PAPER) <= 0.05).sum() == 9


def test_adjusted_p_values_are_scipys() -> None:
    p_values = np.random.default_rng(2).random(200) ** 3
    assert adjusted_p_values(p_values) == pytest.approx(stats.false_discovery_control(p_values))
    assert adjusted_p_values(np.zeros(0)).tolist() == []
