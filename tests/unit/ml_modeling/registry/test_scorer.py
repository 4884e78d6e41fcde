"""A row's answer is its own: whoever is asked with it, and as the library has it but for the last bits."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from feature_store.definitions import Task
from ml_modeling.candidates.pipelines import Recipe, build
from ml_modeling.registry.scorer import numbers, probabilities, row_products
from ml_modeling.specification import Columns

ROWS, WIDTH = 120, 9
LABELS: dict[Task, Any] = {
    Task.BINARY: lambda signal: (signal > 0).astype(int),
    Task.MULTICLASS: lambda signal: np.digitize(signal, (-5.0, 5.0)),
    Task.REGRESSION: lambda signal: signal * 7.0,
}
CASES = [
    (task, candidate, parameters)
    for task in LABELS
    for candidate, parameters in [
        ("ridge" if task is Task.REGRESSION else "logistic_regression", {}),
        *[(trees, {"n_estimators": 5}) for trees in ("random_forest", "xgboost", "lightgbm")],
        *[
            ("mlp", {"hidden_layer_sizes": [11, 5], "max_iter": 20, "activation": activation})
            for activation in ("identity", "logistic", "relu", "tanh")
        ],
    ]
]


@pytest.fixture(scope="module")
def matrix() -> NDArray[np.float64]:
    random = np.random.default_rng(3)
    found = random.normal(scale=10.0, size=(ROWS, WIDTH))
    found[random.random(found.shape) < 0.1] = np.nan
    found[:, -1] = random.integers(0, 4, ROWS)
    return found


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("task", "candidate", "parameters"), CASES)
def test_a_row_is_answered_alike_alone_and_among_others(
    matrix: NDArray[np.float64], task: Task, candidate: str, parameters: dict[str, Any]
) -> None:
    names = tuple(f"f{number}" for number in range(WIDTH))
    recipe = Recipe(task, names, Columns(categorical=(names[-1],)))
    pipeline = build(candidate, parameters, 1, recipe)
    signal = np.nan_to_num(matrix[:, 0]) + np.nan_to_num(matrix[:, 1]) * matrix[:, -1]
    pipeline.fit(matrix, LABELS[task](signal))
    ask = numbers if task is Task.REGRESSION else probabilities
    library = pipeline.predict if task is Task.REGRESSION else pipeline.predict_proba

    if hasattr(pipeline[-1], "n_jobs"):
        pipeline[-1].set_params(n_jobs=1)  # as a model that is read to be served

    together = ask(pipeline, matrix)
    for size in (1, 7):
        parts = [ask(pipeline, matrix[begin : begin + size]) for begin in range(0, size * 12, size)]
        np.testing.assert_array_equal(np.concatenate(parts), together[: size * 12])
    np.testing.assert_allclose(together, library(matrix), rtol=1e-6 if candidate == "xgboost" else 1e-11, atol=1e-12)


@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (7, 1), (8, 8), (33, 130), (200, 1000)])
def test_products_follow_from_their_row_alone(shape: tuple[int, int]) -> None:
    random = np.random.default_rng(5)
    left, right = random.normal(size=shape), random.normal(size=(shape[1], 4))
    product = row_products(left, right)
    np.testing.assert_allclose(product, left @ right, rtol=1e-10, atol=1e-11)
    for row in range(shape[0]):
        np.testing.assert_array_equal(row_products(left[row : row + 1], right)[0], product[row])
    np.testing.assert_array_equal(row_products(np.asfortranarray(left), right), product)


def test_what_somebodys_own_class_says_is_what_is_answered() -> None:
    class Halved(LogisticRegression):
        def predict_proba(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
            positive = super().predict_proba(matrix)[:, 1] / 2
            return np.column_stack([1 - positive, positive])

    class Whole(Pipeline):
        def predict_proba(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
            return Halved.predict_proba(self[-1], matrix)

    x = np.random.default_rng(2).normal(size=(50, 3))
    for model in (Halved(), Pipeline([("model", Halved())]), Whole([("model", Halved())])):
        model.fit(x, (x[:, 0] > 0).astype(int))
        np.testing.assert_array_equal(probabilities(model, x), model.predict_proba(x))
        assert probabilities(model, x)[:, 1].max() <= 0.5
