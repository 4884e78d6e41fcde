"""Estimates beside a look, on rows whose labels are known here and not there."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import mean_absolute_error, roc_auc_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from ml_modeling.evaluation.estimate import Estimate
from ml_modeling.frames.examples import Examples, Floats
from ml_modeling.registry.served import MulticlassServing, RegressionServing, Serving, ServingSpec
from monitoring.estimates import CannotKnow
from monitoring.looks.columns import predictions
from monitoring.looks.label_free import QUALITY, Asked, label_free

COMMON = {"use_case": "it", "feature_service": "it", "feature_fingerprint": "f", "features": ("a", "b")}
BINARY = ServingSpec(**COMMON, threshold=0.5, decisions=("no", "yes"), cold_start_score=0.5)
NUMBER = RegressionServing(**COMMON, cold_start_value=0.0)


def drawn(count: int, seed: int) -> tuple[Floats, Floats]:
    """Rows, and what they lead to on a line with noise."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(count, 2))
    return x, x @ (2.0, -1.0) + random.normal(size=count)


def examples(x: Floats, y: Floats, spec: Serving) -> Examples:
    return Examples(x, (y > 0).astype(np.int64) if spec is BINARY else y, np.arange(len(x)))


def fitted(spec: Serving) -> Pipeline:
    known = examples(*drawn(2_000, seed=1), spec)
    return make_pipeline(StandardScaler(), LogisticRegression() if spec is BINARY else LinearRegression()).fit(
        known.x, known.y
    )


def estimates(spec: Serving, pipeline: Pipeline, test: Examples, x: Floats) -> dict[str, Estimate | CannotKnow]:
    return dict(label_free(spec, pipeline, test, Asked(x, predictions(spec, pipeline, x))))


@pytest.mark.parametrize(
    ("spec", "metric", "measure"), [(BINARY, "roc_auc", roc_auc_score), (NUMBER, "mae", mean_absolute_error)]
)
def test_the_truth_lies_within_the_interval(spec: Serving, metric: str, measure: object) -> None:
    pipeline = fitted(spec)
    asked = examples(*drawn(2_000, seed=2), spec)
    expected = estimates(spec, pipeline, examples(*drawn(2_000, seed=3), spec), asked.x)[metric]
    truth = measure(asked.y, predictions(spec, pipeline, asked.x)[:, 0])  # type: ignore[operator]
    assert isinstance(expected, Estimate)
    assert expected.low < truth < expected.high


def test_rows_from_elsewhere_are_not_judged() -> None:
    test = examples(*drawn(1_000, seed=3), BINARY)
    said = estimates(BINARY, fitted(BINARY), test, test.x + 5)
    assert isinstance(said[QUALITY], CannotKnow)
    assert "outside" in said[QUALITY].reason


@pytest.mark.parametrize(
    ("spec", "rows", "asked", "why"),
    [
        (BINARY, 1_000, 0, "answered nobody"),
        (BINARY, 40, 300, "examples of one of the labels"),
        (NUMBER, 100, 300, "rows with outcomes"),
    ],
)
def test_why_nothing_can_be_said_is_told(spec: Serving, rows: int, asked: int, why: str) -> None:
    test = examples(*drawn(rows, seed=3), spec)
    said = label_free(spec, fitted(spec), test, Asked(np.zeros((asked, 2)), np.full((asked, 1), 0.5)))
    assert isinstance(said[QUALITY], CannotKnow)
    assert why in said[QUALITY].reason


def test_several_classes_have_no_estimate() -> None:
    spec = MulticlassServing(**COMMON, classes=("x", "y", "z"), cold_start_scores=(0.2, 0.3, 0.5))
    said = label_free(spec, None, examples(*drawn(10, seed=3), BINARY), Asked(np.zeros((3, 2)), np.full((3, 3), 1 / 3)))
    assert isinstance(said[QUALITY], CannotKnow)
