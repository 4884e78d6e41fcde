import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.metrics import f1_score

from ml_modeling.evaluation.metrics import calibration, max_f1_threshold, measure

scored = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 8)), min_size=2, max_size=40).filter(
    lambda rows: len({label for label, _ in rows}) == 2
)


def test_metrics_of_four_examples_worked_out_by_hand():
    # Ranked 0.9+ 0.8- 0.6+ 0.1-: of the four pairs three are right; precision is 1 at the first hit, 2/3 at the second.
    metrics = measure(np.array([1, 0, 1, 0]), np.array([0.9, 0.8, 0.6, 0.1]), threshold=0.7)
    assert metrics.roc_auc == pytest.approx(3 / 4)
    assert metrics.average_precision == pytest.approx((1 + 2 / 3) / 2)
    assert metrics.f1 == pytest.approx(1 / 2)  # one hit, one false alarm, one miss
    assert metrics.accuracy == pytest.approx(2 / 4)
    assert metrics.brier == pytest.approx((0.1**2 + 0.8**2 + 0.4**2 + 0.1**2) / 4)


def test_a_score_at_the_threshold_is_a_positive_decision():
    assert measure(np.array([1, 0]), np.array([0.5, 0.1]), threshold=0.5).accuracy == 1.0


@given(scored)
def test_the_threshold_has_the_highest_f1_of_all_scores(rows):
    y, scores = np.array([label for label, _ in rows]), np.array([score / 8 for _, score in rows])
    found = max_f1_threshold(y, scores)
    by_trying = {threshold: f1_score(y, scores >= threshold) for threshold in set(scores.tolist())}
    assert by_trying[found] == pytest.approx(max(by_trying.values()))


def test_calibration_bins_are_those_of_scikit_learn():
    random = np.random.default_rng(3)
    scores = random.random(1_000)
    y = (random.random(1_000) < scores).astype(int)
    shares, means = calibration_curve(y, scores, n_bins=10, strategy="quantile")
    bins = calibration(y, scores, bins=10)
    assert [part.count for part in bins] == [100] * 10
    assert [part.mean_score for part in bins] == pytest.approx(means, abs=1e-9)
    assert [part.positive_share for part in bins] == pytest.approx(shares, abs=1e-9)


def test_fewer_examples_than_bins_make_no_empty_bin():
    assert [part.count for part in calibration(np.array([0, 1]), np.array([0.2, 0.7]), bins=10)] == [1, 1]
