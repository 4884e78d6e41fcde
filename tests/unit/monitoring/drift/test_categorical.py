"""Categories that change their shares, and ones that nobody has seen."""

import math

import numpy as np
import pyarrow as pa
import pytest

from monitoring.drift import EffectLimits
from monitoring.drift.categorical import compared, distribution, unseen
from monitoring.profiles import CategoricalProfile

LIMITS = EffectLimits()
ALPHA = 0.002


def categorical(values: object) -> CategoricalProfile:
    profile = CategoricalProfile()
    profile.update(pa.array(values).cast(pa.string()))
    return profile


def test_rows_are_compared_by_category_while_all_are_known() -> None:
    cells = compared(categorical(["a", "b", "b"]), categorical(["c", "b"]))
    assert (cells.reference.tolist(), cells.current.tolist()) == ([1, 2, 0], [0, 1, 1])


def test_shares_that_change_are_found() -> None:
    random = np.random.default_rng(0)
    before = categorical(random.choice(["a", "b", "c"], 20_000, p=[0.5, 0.3, 0.2]))
    now = categorical(random.choice(["a", "b", "c"], 5000, p=[0.4, 0.3, 0.3]))
    finding = distribution("c", before, now, LIMITS, ALPHA)
    assert finding.matters
    assert finding.p_value < 1e-10


@pytest.mark.parametrize("categories", [2, 300, 30_000])
def test_p_values_without_drift_are_no_smaller_than_they_should(categories: int) -> None:
    random = np.random.default_rng(1)
    p_values = []
    for _ in range(100):
        before, now = (categorical(random.zipf(1.3, rows) % categories) for rows in (6000, 2000))
        p_values.append(distribution("c", before, now, LIMITS, ALPHA).p_value)
    assert np.mean(np.array(p_values) < 0.1) < 0.2


def test_drift_of_a_column_of_thousands_of_categories_is_found_by_buckets() -> None:
    random = np.random.default_rng(2)
    before = categorical(random.integers(0, 20_000, 30_000))
    fewer = categorical(random.integers(0, 300, 8000))
    assert not before.is_exact
    finding = distribution("c", before, fewer, LIMITS, ALPHA)
    assert finding.matters
    assert finding.p_value < 1e-10


def test_unseen_categories_are_found_by_their_rows() -> None:
    before = categorical(["a"] * 600 + ["b"] * 400)
    finding = unseen("c", before, categorical(["a"] * 450 + ["new"] * 50), LIMITS, ALPHA)
    assert finding.matters
    # Of 51 rows that are unseen or might be, 50 are among 500 of 1500: C(51, k) (1/3)^k (2/3)^(51 - k)
    expected = sum(math.comb(51, k) * (1 / 3) ** k * (2 / 3) ** (51 - k) for k in (50, 51))
    assert finding.p_value == pytest.approx(expected)


def test_new_categories_of_a_long_tail_are_no_news() -> None:
    random = np.random.default_rng(3)
    beyond = 0
    for _ in range(100):
        before, now = (categorical(random.zipf(1.6, rows)) for rows in (2000, 2000))
        assert before.is_exact
        finding = unseen("c", before, now, LIMITS, ALPHA)
        assert sum(count for name, count in now.counts.items() if name not in before.counts) > 0
        beyond += finding.p_value < 0.05
    assert beyond <= 12


def test_unseen_is_not_judged_when_the_reference_does_not_know_all() -> None:
    finding = unseen("c", categorical(range(5000)), categorical(range(200)), LIMITS, ALPHA)
    assert finding.unknown is not None
