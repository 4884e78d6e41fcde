"""Expected metrics against those of labels that came later, on made and on real data."""

import csv
from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ml_modeling.evaluation.estimate import Estimate
from monitoring.estimates import CalibrationError, CannotKnow, ScoreCalibration, beta_calibration

TELCO = Path(__file__).resolve().parents[5] / "shared" / "data" / "telco-churn.csv"
NAMES = {"accuracy", "precision", "recall", "f1", "roc_auc", "average_precision"}


def realised(scores: np.ndarray, y: np.ndarray, threshold: float) -> dict[str, float]:
    decided = scores >= threshold
    return {
        "accuracy": metrics.accuracy_score(y, decided),
        "precision": metrics.precision_score(y, decided, zero_division=np.nan),
        "recall": metrics.recall_score(y, decided),
        "f1": metrics.f1_score(y, decided),
        "roc_auc": metrics.roc_auc_score(y, scores),
        "average_precision": metrics.average_precision_score(y, scores),
    }


def draw(random: np.random.Generator, size: int, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Scores that are too sure of themselves, and labels by their true probabilities."""
    logit = random.normal(shift - 1, 1.2, size)
    return 1 / (1 + np.exp(-2 * logit - 0.5)), (random.random(size) < 1 / (1 + np.exp(-logit))).astype(int)


@pytest.mark.parametrize("shift", [0.0, 0.8])
def test_intervals_hold_what_the_labels_show_later_also_when_inputs_shift(shift: float) -> None:
    random = np.random.default_rng(0)
    held = dict.fromkeys(NAMES, 0)
    runs = 25
    for run in range(runs):
        calibration = ScoreCalibration.fit(*draw(random, 2000), draws=80, seed=run)
        scores, y = draw(random, 500, shift)
        estimates, true = calibration.estimate(scores, 0.5, seed=run), realised(scores, y, 0.5)
        for name in NAMES:
            held[name] += estimates[name].low <= true[name] <= estimates[name].high
    assert min(held.values()) >= 0.8 * runs
    assert sum(held.values()) >= 0.91 * runs * len(NAMES)


def test_without_calibration_the_estimate_would_be_wrong() -> None:
    random = np.random.default_rng(1)
    scores, y = draw(random, 20_000)
    calibrated = ScoreCalibration.fit(*draw(random, 5000)).estimate(scores, 0.5)["accuracy"].value
    as_it_is = np.where(scores >= 0.5, scores, 1 - scores).mean()
    true = metrics.accuracy_score(y, scores >= 0.5)
    assert calibrated == pytest.approx(true, abs=0.015)
    assert abs(as_it_is - true) > 0.05


def test_the_expected_confusion_of_known_probabilities_by_hand() -> None:
    """A calibration that changes nothing: 3 rows of 0.9 and 2 of 0.2, decided at a half."""
    identity = ScoreCalibration(np.tile([1.0, 1.0, 0.0], (20_000, 1)))
    estimates = identity.estimate(np.array([0.9, 0.9, 0.9, 0.2, 0.2]), 0.5)
    assert estimates["accuracy"].value == pytest.approx((3 * 0.9 + 2 * 0.8) / 5, abs=0.005)
    assert estimates["precision"].value == pytest.approx(0.9, abs=0.005)
    # Recall: hits / positives over all numbers of hits (binomial 3, 0.9) and misses (2, 0.2)
    hits = [0.001, 0.027, 0.243, 0.729]
    misses = [0.64, 0.32, 0.04]
    recall = sum(p * q * h / (h + m) for h, p in enumerate(hits) for m, q in enumerate(misses) if h + m)
    assert estimates["recall"].value == pytest.approx(recall / (1 - 0.001 * 0.64), abs=0.005)


def test_ranking_metrics_are_scikit_learns_with_ties() -> None:
    from monitoring.estimates.classification import _Ranking

    random = np.random.default_rng(2)
    scores, y = random.random(300).round(1), random.integers(0, 2, 300).astype(bool)
    ranked = _Ranking.of(scores).metrics(y)
    assert ranked["roc_auc"] == pytest.approx(metrics.roc_auc_score(y, scores))
    assert ranked["average_precision"] == pytest.approx(metrics.average_precision_score(y, scores))


def test_what_is_not_defined_cannot_be_known() -> None:
    random = np.random.default_rng(3)
    calibration = ScoreCalibration.fit(*draw(random, 1000), draws=50)
    estimates = calibration.estimate(np.full(200, 0.05), 0.5)
    assert estimates["precision"] == CannotKnow("no row is decided positive")
    assert isinstance(estimates["accuracy"], Estimate)
    assert set(estimates) == NAMES


def test_bootstraps_are_fitted_as_scikit_learn_fits_one() -> None:
    random = np.random.default_rng(5)
    scores, y = draw(random, 1500)
    x = beta_calibration.features(scores)
    weights = np.vstack((np.ones(1500), random.integers(0, 3, 1500)))
    fitted = beta_calibration.fit(x, y, weights)
    for row, coefficients in zip(weights, fitted, strict=True):
        expected = LogisticRegression(C=1e6, tol=1e-8, max_iter=1000).fit(x[:, :2], y, row)
        p = expected.predict_proba(x[:, :2])[:, 1]
        assert beta_calibration.probabilities(coefficients, scores) == pytest.approx(p, abs=1e-3)


def test_labels_that_a_score_separates_do_not_break_the_calibration() -> None:
    scores, y = np.repeat([0.0, 1.0], 100), np.repeat([0, 1], 100)
    estimates = ScoreCalibration.fit(scores, y, draws=20).estimate(scores, 0.5)
    assert estimates["accuracy"].value > 0.98


def test_few_labels_calibrate_nothing() -> None:
    with pytest.raises(CalibrationError, match="7 examples"):
        ScoreCalibration.fit(np.linspace(0.1, 0.9, 200), np.repeat([0, 1], [193, 7]))


@pytest.mark.skipif(not TELCO.exists(), reason="the telco churn data set is not beside the project")
def test_intervals_hold_the_truth_of_telco_churn() -> None:
    x, y = telco()
    random = np.random.default_rng(4)
    held, runs = 0, 15
    for run in range(runs):
        order = random.permutation(len(y))
        fitted, calibrated, later = order[:2500], order[2500:4500], order[4500:5500]
        model = make_pipeline(StandardScaler(), LogisticRegression()).fit(x[fitted], y[fitted])
        scores = model.predict_proba(x)[:, 1]
        calibration = ScoreCalibration.fit(scores[calibrated], y[calibrated], draws=100, seed=run)
        estimates, true = calibration.estimate(scores[later], 0.4), realised(scores[later], y[later], 0.4)
        held += sum(estimates[name].low <= true[name] <= estimates[name].high for name in NAMES)
    assert held >= 0.85 * runs * len(NAMES)


def telco() -> tuple[np.ndarray, np.ndarray]:
    with TELCO.open(encoding="utf-8") as file:
        customers = list(csv.DictReader(file))
    contracts = ["Month-to-month", "One year", "Two year"]
    x = [
        [
            float(c["tenure"]),
            float(c["MonthlyCharges"]),
            contracts.index(c["Contract"]),
            c["InternetService"] == "Fiber optic",
            c["PaymentMethod"] == "Electronic check",
        ]
        for c in customers
    ]
    return np.array(x, dtype=float), np.array([c["Churn"] == "Yes" for c in customers], dtype=int)
