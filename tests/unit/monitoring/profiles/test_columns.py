"""Profiles of one column against what a loop over its values counts, and their merges in any order and grouping."""

import math
from collections import Counter
from functools import reduce

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitoring.profiles import CategoricalProfile, NumericProfile
from monitoring.profiles.categorical import LONGEST, MOST_CATEGORIES
from monitoring.profiles.distinct import SIZE, Distinct, hash_numbers
from monitoring.profiles.quantiles import K

NUMBERS = st.lists(
    st.one_of(st.none(), st.floats(-1e6, 1e6, width=32), st.sampled_from([math.nan, math.inf, -math.inf, 0.0, -0.0])),
    max_size=40,
)
TEXTS = st.lists(st.one_of(st.none(), st.sampled_from(["a", "b", "c", "", "ü"])), max_size=40)


def numeric(values: object, low: float | None = None, high: float | None = None) -> NumericProfile:
    profile = NumericProfile(low, high)
    profile.update(pa.array(values, pa.float64(), from_pandas=False))
    return profile


def categorical(values: object) -> CategoricalProfile:
    profile = CategoricalProfile()
    profile.update(pa.array(values, pa.string()))
    return profile


@given(st.lists(NUMBERS, min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_merged_parts_are_the_profile_of_all_values(parts: list[list[float | None]]) -> None:
    values = [value for part in parts for value in part]
    finite = [value for value in values if value is not None and math.isfinite(value)]
    merged = reduce(NumericProfile.merge, (numeric(part, -5.0, 5.0) for part in parts))
    assert merged.rows == len(values)
    assert merged.nulls == values.count(None)
    assert merged.nans == sum(1 for value in values if value is not None and math.isnan(value))
    assert merged.infinities == sum(1 for value in values if value is not None and math.isinf(value))
    assert (merged.below, merged.above) == (sum(v < -5 for v in finite), sum(v > 5 for v in finite))
    assert merged.distinct.estimate == len(set(finite))
    assert merged.missing == len(values) - len(finite)
    if finite:
        assert merged.moments.mean == pytest.approx(math.fsum(finite) / len(finite), rel=1e-9, abs=1e-6)
        assert (merged.quantiles.low, merged.quantiles.high) == (min(finite), max(finite))
        assert [merged.quantiles.rank(np.array([v]))[0] for v in finite] == pytest.approx(
            [sum(other <= v for other in finite) / len(finite) for v in finite]
        )


@given(NUMBERS, NUMBERS, NUMBERS)
@settings(max_examples=40, deadline=None)
def test_the_order_and_grouping_of_a_merge_do_not_matter(a: list[float], b: list[float], c: list[float]) -> None:
    one, two, three = numeric(a), numeric(b), numeric(c)
    left, right = one.merge(two).merge(three), three.merge(one.merge(two))
    other = one.merge(three.merge(two))
    for merged in (right, other):
        assert (merged.rows, merged.nulls, merged.nans) == (left.rows, left.nulls, left.nans)
        assert merged.moments.mean == pytest.approx(left.moments.mean, rel=1e-9, abs=1e-6)
        assert merged.moments.squares == pytest.approx(left.moments.squares, rel=1e-9, abs=1e-3)
        assert merged.distinct.smallest.tolist() == left.distinct.smallest.tolist()
        assert merged.quantiles.values.tolist() == left.quantiles.values.tolist()
        assert merged.quantiles.cumulative.tolist() == pytest.approx(left.quantiles.cumulative.tolist())


def test_the_variance_is_that_of_all_values_also_far_from_zero() -> None:
    values = np.random.default_rng(0).normal(1e9, 1.0, 10_000)
    parts = [numeric(part) for part in np.array_split(values, 7)]
    merged = reduce(NumericProfile.merge, parts)
    assert merged.moments.variance == pytest.approx(np.var(values, ddof=1), rel=1e-6)


def test_merging_leaves_both_sides_as_they_were() -> None:
    one, two = numeric(np.arange(5000.0)), numeric(np.arange(3000.0))
    one.merge(two)
    assert (one.quantiles.count, two.quantiles.count) == (5000, 3000)


@pytest.mark.parametrize("parts", [1, 2, 40])
def test_ranks_keep_within_the_errors_they_state(parts: int) -> None:
    values = np.random.default_rng(1).lognormal(sigma=2, size=200_000)
    merged = reduce(NumericProfile.merge, (numeric(part) for part in np.array_split(values, parts))).quantiles
    points = np.quantile(values, np.linspace(0.01, 0.99, 50))
    true = np.searchsorted(np.sort(values), points, side="right") / len(values)
    assert merged.rank_error == pytest.approx(0.0035 / 2.576, rel=0.05)
    assert np.abs(merged.rank(points) - true).max() < 4 * merged.rank_error


def test_a_small_column_is_kept_whole() -> None:
    values = np.random.default_rng(2).normal(size=K // 2)
    quantiles = numeric(values).quantiles
    assert quantiles.rank_error == 0
    assert quantiles.values.tolist() == sorted(values.tolist())
    assert quantiles.quantile([0.5])[0] == np.quantile(values, 0.5, method="inverted_cdf")


def test_draws_from_a_sketch_are_distributed_like_its_column() -> None:
    column = np.random.default_rng(3).exponential(size=100_000)
    drawn = numeric(column).quantiles.sample(20_000, np.random.default_rng(4))
    assert drawn.mean() == pytest.approx(1.0, abs=0.05)
    assert np.quantile(drawn, 0.9) == pytest.approx(math.log(10), abs=0.1)


def test_distinct_values_are_exact_below_the_size_of_the_sketch_and_close_above() -> None:
    few = numeric(np.tile(np.arange(SIZE - 1.0), 3))
    many = numeric(np.tile(np.arange(300_000.0), 2))
    assert few.distinct.estimate == SIZE - 1
    assert many.distinct.estimate == pytest.approx(300_000, rel=0.12)


def test_the_same_values_give_the_same_hashes_in_any_order() -> None:
    values = np.random.default_rng(5).normal(size=50_000)
    ascending = Distinct().add(hash_numbers(np.sort(values)))
    halves = Distinct().add(hash_numbers(values[:20_000])).merge(Distinct().add(hash_numbers(values[20_000:])))
    assert ascending.smallest.tolist() == halves.smallest.tolist()


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        pytest.param([5.0] * 100, 0.0, id="constant"),
        pytest.param([0.0] * 99 + [1.0], 0.1, id="mostly-one-value"),
        pytest.param([*range(100), 1e9], 50 / 1.349, id="an-outlier"),
    ],
)
def test_the_scale_is_not_widened_by_outliers(values: list[float], scale: float) -> None:
    assert numeric(values).scale == pytest.approx(scale, rel=0.02)


@given(st.lists(TEXTS, min_size=1, max_size=4))
@settings(max_examples=40, deadline=None)
def test_categories_are_counted_exactly_while_there_are_few(parts: list[list[str | None]]) -> None:
    values = [value for part in parts for value in part]
    merged = reduce(CategoricalProfile.merge, map(categorical, parts))
    assert merged.counts == Counter(value for value in values if value is not None)
    assert (merged.rows, merged.nulls, merged.is_exact) == (len(values), values.count(None), True)
    assert merged.buckets.sum() == merged.count


@pytest.mark.parametrize("parts", [1, 7, 100])
def test_of_many_categories_the_frequent_ones_are_kept_within_a_bound(parts: int) -> None:
    values = [str(value) for value in np.random.default_rng(6).zipf(1.2, 60_000) % 50_000]
    true = Counter(values)
    merged = reduce(
        CategoricalProfile.merge, (categorical(part.tolist()) for part in np.array_split(np.array(values), parts))
    )
    assert len(merged.counts) <= MOST_CATEGORIES
    assert 0 < merged.undercount <= len(values) / (MOST_CATEGORIES + 1)
    assert all(count <= true[name] <= count + merged.undercount for name, count in merged.counts.items())
    frequent = {name for name, count in true.items() if count > merged.undercount}
    assert frequent <= set(merged.counts)


def test_buckets_hold_every_row_whatever_the_number_of_categories() -> None:
    values = [str(value) for value in range(20_000)]
    whole = categorical(values)
    halves = categorical(values[:7000]).merge(categorical(values[7000:]))
    assert whole.buckets.sum() == 20_000
    assert whole.buckets.tolist() == halves.buckets.tolist()


def test_long_categories_are_shortened_and_still_told_apart() -> None:
    long = ["x" * 100_000 + end for end in "ab"]
    profile = categorical(long)
    assert len(profile.counts) == 2
    assert max(map(len, profile.counts)) <= LONGEST


@pytest.mark.parametrize(
    "column",
    [
        pytest.param(pa.array([True, False, None]), id="booleans"),
        pytest.param(pa.array(["True", "False", None]).dictionary_encode(), id="dictionary"),
        pytest.param(pa.array([1, 2, None], pa.int32()), id="integers"),
    ],
)
def test_categories_may_be_of_other_types(column: pa.Array) -> None:
    profile = CategoricalProfile()
    profile.update(column)
    assert (sum(profile.counts.values()), profile.nulls) == (2, 1)
