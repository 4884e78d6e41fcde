from datetime import date, timedelta

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from ml_modeling.frames.cutoffs import CutoffSplit
from ml_modeling.frames.examples import Examples
from ml_modeling.frames.leakage import LeakageError, check_features, check_windows, single_feature_auc
from ml_modeling.specification import Leakage

RULE = Leakage(max_single_feature_auc=0.97, max_pure_share=0.1)
DAY = date(2026, 1, 1)
HORIZON = timedelta(days=90)


def days(*offsets):
    return tuple(DAY + timedelta(days=offset) for offset in offsets)


@pytest.fixture
def purchases():
    """Days until each of 4,000 customers buys again, and an honest feature that tells something about it."""
    random = np.random.default_rng(1)
    rate = random.gamma(1.0, 0.02, 4_000)
    return random.exponential(1 / rate), np.exp(np.log(1 / rate) + random.normal(0, 1.0, 4_000))


def examples(until_next, *columns):
    y = (until_next > 90).astype(int)
    return Examples(np.column_stack(columns), y, np.arange(len(y)))


def test_honest_features_pass(purchases):
    until_next, honest = purchases
    check_features(examples(until_next, honest), ("gap",), RULE)


def test_a_feature_that_is_the_label_is_caught(purchases):
    until_next, honest = purchases
    with pytest.raises(LeakageError, match="feature churned alone separates the labels"):
        check_features(examples(until_next, honest, until_next > 90), ("gap", "churned"), RULE)


def test_a_count_that_reaches_a_month_past_the_cutoff_is_caught(purchases):
    until_next, honest = purchases
    leaked = 3.0 + (until_next < 30)
    assert roc_auc_score(until_next > 90, -leaked) < 0.97  # too weak to be noticed by its AUC
    with pytest.raises(LeakageError, match="feature frequency_30d decides the label"):
        check_features(examples(until_next, honest, leaked), ("gap", "frequency_30d"), RULE)


def test_a_value_that_is_only_there_for_those_who_come_back_is_caught(purchases):
    until_next, honest = purchases
    leaked = np.where(until_next < 60, 1.0, np.nan)
    with pytest.raises(LeakageError, match="feature next_basket decides the label"):
        check_features(examples(until_next, honest, leaked), ("gap", "next_basket"), RULE)


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (CutoffSplit(days(0, 10), days(99), days(200)), "train cutoff 2026-01-11 reaches to 2026-04-11"),
        (CutoffSplit(days(0), days(95, 120), days(200)), "validation cutoff 2026-05-01"),
        (CutoffSplit(days(0), days(90), days(180), between=days(91)), "final fit cutoff 2026-04-02"),
        (CutoffSplit(days(0), days(90), days(180, 211)), "test cutoff 2026-07-31.*past the end of the data"),
    ],
    ids=["train into validation", "validation into test", "final fit into test", "test past the data"],
)
def test_an_overlapping_label_window_is_caught(split, message):
    with pytest.raises(LeakageError, match=message):
        check_windows(split, HORIZON, DAY + timedelta(days=300))


def test_windows_that_touch_do_not_overlap():
    check_windows(CutoffSplit(days(0), days(90), days(180), between=days(90)), HORIZON, DAY + timedelta(days=270))


@pytest.mark.parametrize("seed", range(5))
def test_the_auc_of_one_feature_is_that_of_scikit_learn_in_the_better_direction(seed):
    random = np.random.default_rng(seed)
    values, y = random.integers(0, 6, 200).astype(float), random.integers(0, 2, 200)
    expected = roc_auc_score(y, values)
    assert single_feature_auc(values, y) == pytest.approx(max(expected, 1 - expected))
