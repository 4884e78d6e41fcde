"""The expected metrics of yes-or-no decisions, from calibrated probabilities (CBPE).

If a score is right about how likely each label is, labels are independent draws, the number of each cell of the
confusion matrix is Poisson-binomial, and every metric has a distribution before any label is known (the idea of
confidence-based performance estimation, as in Guillory et al., "Predicting with confidence on unseen distributions",
2021, and NannyML's CBPE). It is drawn from here: each draw takes one bootstrapped calibration, since that is learnt
from finitely many labels too, and then labels by its probabilities.
"""

import math
from dataclasses import dataclass

import numpy as np

from ml_modeling.evaluation.estimate import Estimate
from ml_modeling.frames.examples import Floats, Integers
from monitoring.estimates import beta_calibration
from monitoring.estimates.result import CalibrationError, CannotKnow, LabelFree

DRAWS = 200
LEAST_LABELS = 30
SEED = 0

ACCURACY, PRECISION, RECALL, F1 = "accuracy", "precision", "recall", "f1"
ROC_AUC, AVERAGE_PRECISION = "roc_auc", "average_precision"
_UNDEFINED = {
    PRECISION: "no row is decided positive",
    RECALL: "no row is expected to be positive",
    F1: "no row is decided positive or expected to be",
    ROC_AUC: "only one label is expected",
    AVERAGE_PRECISION: "no row is expected to be positive",
}


@dataclass(frozen=True)
class ScoreCalibration:
    """``coefficients`` (draws, 3) are of ``beta_calibration``, each of one bootstrap."""

    coefficients: Floats

    @classmethod
    def fit(cls, scores: Floats, y: Integers, draws: int = DRAWS, seed: int = SEED) -> "ScoreCalibration":
        """From scores and labels (n,) that the model was not fitted on.

        Raises:
            CalibrationError: there are fewer than ``LEAST_LABELS`` of either label.
        """
        least = min(int((y == 1).sum()), int((y == 0).sum()))
        if least < LEAST_LABELS:
            raise CalibrationError(f"{least} examples of one of the labels; {LEAST_LABELS} of each calibrate a score")
        return cls(beta_calibration.bootstrapped(scores, y, draws, np.random.default_rng(seed)))

    def estimate(self, scores: Floats, threshold: float, confidence: float = 0.95, seed: int = SEED) -> LabelFree:
        """The metrics of scores (n,) that are decided to be positive from ``threshold`` on.

        The interval is where the metric of these very rows will lie, once their labels are known.
        """
        random = np.random.default_rng(seed)
        ranking = _Ranking.of(scores)
        decided = scores >= threshold
        draws = []
        for coefficients in self.coefficients:
            labels = random.random(len(scores)) < beta_calibration.probabilities(coefficients, scores)
            draws.append({**_confusion(decided, labels), **ranking.metrics(labels)})
        return {name: _summary(name, np.array([draw[name] for draw in draws]), confidence) for name in draws[0]}


@dataclass(frozen=True)
class _Ranking:
    """Rows from the highest score down; ``ends`` are the last row of each distinct score."""

    order: Integers
    ends: Integers

    @classmethod
    def of(cls, scores: Floats) -> "_Ranking":
        order = np.argsort(-scores, kind="stable")
        ranked = scores[order]
        return cls(order, np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True)))

    def metrics(self, labels: "np.ndarray") -> dict[str, float]:
        hits = np.cumsum(labels[self.order])[self.ends].astype(np.float64)
        rows = self.ends + 1.0
        positives, negatives = hits[-1], rows[-1] - hits[-1]
        if not positives:
            return {ROC_AUC: math.nan, AVERAGE_PRECISION: math.nan}
        gained = np.diff(hits, prepend=0.0)
        average_precision = float((hits / rows * gained).sum() / positives)
        if not negatives:
            return {ROC_AUC: math.nan, AVERAGE_PRECISION: average_precision}
        misses = rows - hits
        wins = (np.diff(misses, prepend=0.0) * (hits - gained / 2)).sum()
        return {ROC_AUC: float(wins / (positives * negatives)), AVERAGE_PRECISION: average_precision}


def _confusion(decided: "np.ndarray", labels: "np.ndarray") -> dict[str, float]:
    hits = float((decided & labels).sum())
    chosen, positives = float(decided.sum()), float(labels.sum())
    return {
        ACCURACY: float((decided == labels).mean()),
        PRECISION: hits / chosen if chosen else math.nan,
        RECALL: hits / positives if positives else math.nan,
        F1: 2 * hits / (chosen + positives) if chosen + positives else math.nan,
    }


def _summary(name: str, draws: Floats, confidence: float) -> Estimate | CannotKnow:
    if np.isnan(draws).mean() > 1 - confidence:
        return CannotKnow(_UNDEFINED[name])
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(draws, (tail, 1 - tail))
    return Estimate(value=float(np.nanmean(draws)), low=float(low), high=float(high))
