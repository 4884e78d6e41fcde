"""Point values of the metrics of a scored set of examples whose labels are yes or no."""

from dataclasses import asdict, dataclass

import numpy as np

from ml_modeling.frames.examples import Floats, Integers


@dataclass(frozen=True)
class Metrics:
    """``f1`` and ``accuracy`` are at the decision threshold, ``brier`` is the mean squared error of the probability."""

    roc_auc: float
    average_precision: float
    f1: float
    accuracy: float
    brier: float

    def as_dict(self) -> dict[str, float]:
        return asdict(self)


@dataclass(frozen=True)
class CalibrationBin:
    """Examples with similar scores: their mean score and the share of positives."""

    mean_score: float
    positive_share: float
    count: int


def measure(y: Integers, scores: Floats, threshold: float) -> Metrics:
    """The metrics of ``scores`` (n,) against labels ``y`` (n,); both labels must occur."""
    from sklearn import metrics

    decisions = (scores >= threshold).astype(int)
    return Metrics(
        roc_auc=float(metrics.roc_auc_score(y, scores)),
        average_precision=float(metrics.average_precision_score(y, scores)),
        f1=float(metrics.f1_score(y, decisions, zero_division=0.0)),
        accuracy=float(metrics.accuracy_score(y, decisions)),
        brier=float(np.mean((scores - y) ** 2)),
    )


def max_f1_threshold(y: Integers, scores: Floats) -> float:
    """The score at or above which deciding positive has the highest F1; of equal ones the highest."""
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    hits = np.cumsum(y[order])
    chosen = np.arange(1, len(y) + 1)
    f1 = 2 * hits / (chosen + y.sum())
    last_of_tie = np.append(ranked[1:] != ranked[:-1], True)
    return float(ranked[np.argmax(np.where(last_of_tie, f1, -1.0))])


def calibration(y: Integers, scores: Floats, bins: int = 10) -> list[CalibrationBin]:
    """Bins of equal count by score (quantiles), lowest first; empty ones left out."""
    parts = np.array_split(np.argsort(scores, kind="stable"), bins)
    return [CalibrationBin(float(scores[part].mean()), float(y[part].mean()), len(part)) for part in parts if len(part)]
