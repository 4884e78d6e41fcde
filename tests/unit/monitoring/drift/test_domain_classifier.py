"""A classifier that is asked which side a row is from, where the answer is known."""

import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from monitoring.drift import EffectLimits
from monitoring.drift.domain_classifier import auc_with_variance, effective, separate, together
from monitoring.profiles import RowSample, TableDefinition


def frame(random: np.random.Generator, rows: int, shift: float = 0.0) -> pd.DataFrame:
    numbers = {f"x{i}": random.normal(size=rows) + shift for i in range(3)}
    return pd.DataFrame(numbers | {"c": random.choice(["a", "b", None], rows)})


def test_rows_of_one_distribution_cannot_be_told_apart() -> None:
    random = np.random.default_rng(0)
    p_values = [separate(frame(random, 250), frame(random, 250)).p_value for _ in range(20)]
    assert min(p_values) > 0.002
    assert np.mean(np.array(p_values) < 0.1) <= 0.25


def test_rows_that_moved_are_told_apart_about_as_well_as_can_be() -> None:
    random = np.random.default_rng(1)
    separation = separate(frame(random, 2000), frame(random, 2000, 0.5))
    best = stats.norm.cdf(0.5 * math.sqrt(3) / math.sqrt(2))
    assert best - 0.06 < separation.auc < best + 0.02
    assert separation.low < separation.auc < separation.high
    assert separation.p_value < 1e-30


def test_the_auc_and_its_variance() -> None:
    random = np.random.default_rng(2)
    positive, negative = random.normal(0.7, size=300).round(1), random.normal(size=500).round(1)
    auc, variance = auc_with_variance(positive, negative)
    y = np.repeat([1, 0], [300, 500])
    assert auc == pytest.approx(roc_auc_score(y, np.concatenate((positive, negative))))
    resampled = [auc_with_variance(random.choice(positive, 300), random.choice(negative, 500))[0] for _ in range(500)]
    assert math.sqrt(variance) == pytest.approx(np.std(resampled), rel=0.15)


def test_whom_one_asks_about_again_and_again_is_no_drift() -> None:
    """Ten rows a customer, all the same but for one column: a classifier that has seen nine knows the tenth again."""
    random = np.random.default_rng(4)
    by_units, by_rows = [], []
    for _ in range(10):
        units = np.repeat(np.arange(300), 10)
        current = frame(random, 300).iloc[units].assign(x2=random.normal(size=3000)).reset_index(drop=True)
        reference = frame(random, 3000)
        by_units.append(separate(reference, current, units).p_value)
        by_rows.append(separate(reference, current).p_value)
    assert max(by_rows) < 1e-6
    assert min(by_units) > 0.002


def test_a_shift_is_found_among_repeated_rows_too() -> None:
    random = np.random.default_rng(5)
    units = np.repeat(np.arange(300), 10)
    moved = separate(frame(random, 3000), frame(random, 300, 1.0).iloc[units].reset_index(drop=True), units)
    assert moved.p_value < 1e-6
    assert moved.low < moved.auc < moved.high


def test_rows_of_one_unit_count_as_much_as_they_tell_at_least() -> None:
    assert effective(np.arange(0)) == 0
    assert effective(np.arange(50)) == 50
    assert effective(np.repeat(np.arange(5), 10)) == pytest.approx(5)
    assert effective(np.array([0, 0, 0, 0, 0, 0, 0, 0, 0, 1])) == pytest.approx(100 / 82)


def test_few_rows_are_no_verdict() -> None:
    random = np.random.default_rng(3)
    table = pa.Table.from_pandas(frame(random, 150), preserve_index=False)
    sample = RowSample.of(table, 1000, random)
    finding = together(TableDefinition.of_schema(table.schema), sample, sample, EffectLimits(), 0.01)
    assert finding.unknown is not None
