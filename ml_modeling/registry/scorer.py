"""What a fitted pipeline says of rows: of each the same to the last bit, whatever rows are asked with it.

BLAS, which the libraries multiply matrices with, adds the products of a row in an order that depends on how many rows
there are. So a customer's score would differ in its last digits with those that were asked in the same request, and no
answer could be given again from the log. Linear models and perceptrons are therefore multiplied here; trees are walked
row by row in any case. An estimator of a user's own is asked as it is.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def probabilities(pipeline: Any, matrix: Floats) -> Floats:
    """The probability (n, classes) of each class, as ``pipeline.predict_proba`` but for its last bits."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier

    final = final_step(pipeline)
    kind = _known_kind(pipeline)
    if kind is RandomForestClassifier:
        return _mean_of_trees(final, _before(pipeline, matrix))
    if kind is LogisticRegression and (final.solver != "liblinear" or len(final.classes_) == 2):
        return _of_margins(row_products(_before(pipeline, matrix), final.coef_.T) + final.intercept_)
    if kind is MLPClassifier:
        outputs = _forward(final, _before(pipeline, matrix))
        return outputs if outputs.shape[1] > 1 else np.hstack([1.0 - outputs, outputs])
    found: Floats = pipeline.predict_proba(matrix).astype(np.float64)
    return found


def numbers(pipeline: Any, matrix: Floats) -> Floats:
    """The number (n,) of each row, as ``pipeline.predict`` but for its last bits."""
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.linear_model import Ridge
    from sklearn.neural_network import MLPRegressor

    final = final_step(pipeline)
    kind = _known_kind(pipeline)
    if kind is RandomForestRegressor:
        return _mean_of_trees(final, _before(pipeline, matrix))[:, 0]
    if kind is Ridge:
        weights = final.coef_.reshape(-1, 1)
        return row_products(_before(pipeline, matrix), weights)[:, 0] + float(final.intercept_)
    if kind is MLPRegressor:
        return _forward(final, _before(pipeline, matrix))[:, 0]
    found: Floats = pipeline.predict(matrix).astype(np.float64)
    return found


def final_step(model: Any) -> Any:
    """The estimator: the last step of a pipeline, or the model itself."""
    from sklearn.pipeline import Pipeline

    return model[-1] if isinstance(model, Pipeline) else model


def _known_kind(pipeline: Any) -> type | None:
    """The class of the estimator; None in a pipeline of somebody's own class, which may answer otherwise."""
    from sklearn.pipeline import Pipeline

    final = final_step(pipeline)
    return type(final) if final is pipeline or type(pipeline) is Pipeline else None


def row_products(left: Floats, right: Floats) -> Floats:
    """``left @ right``, (n, k) by (k, m); each row of it follows from that row of ``left`` alone."""
    rows = np.ascontiguousarray(left)
    return np.stack([(rows * column).sum(axis=1) for column in right.T], axis=1)


def _before(pipeline: Any, matrix: Floats) -> Floats:
    """What the steps before the estimator make of ``matrix``."""
    from sklearn.pipeline import Pipeline

    if not isinstance(pipeline, Pipeline) or len(pipeline) == 1:
        return matrix
    prepared: Floats = pipeline[:-1].transform(matrix)
    return prepared


def _of_margins(margins: Floats) -> Floats:
    if margins.shape[1] > 1:
        return _softmax(margins)
    positive = _expit(margins)
    return np.hstack([1.0 - positive, positive])


def _forward(perceptron: Any, rows: Floats) -> Floats:
    """The outputs (n, outputs) of a multi-layer perceptron."""
    *hidden, last = zip(perceptron.coefs_, perceptron.intercepts_, strict=True)
    for weights, biases in hidden:
        rows = _activated(perceptron.activation, row_products(rows, weights) + biases)
    weights, biases = last
    return _activated(perceptron.out_activation_, row_products(rows, weights) + biases)


def _activated(name: str, values: Floats) -> Floats:
    by_name: dict[str, Callable[[Floats], Floats]] = {
        "logistic": _expit,
        "relu": lambda given: np.maximum(given, 0.0),
        "softmax": _softmax,
        "tanh": np.tanh,
    }
    return values if name == "identity" else by_name[name](values)


def _mean_of_trees(forest: Any, rows: Floats) -> Floats:
    """The mean (n, outputs) of what the trees say, added in their order.

    A forest's own methods hand every tree to a thread pool, which for a few rows costs many times the walk through the
    tree, and add in the order in which the threads end.
    """
    narrow = rows.astype(np.float32)  # what the trees were grown on
    total: Floats = sum(tree.tree_.predict(narrow) for tree in forest.estimators_)
    return total / len(forest.estimators_)


def _expit(values: Floats) -> Floats:
    from scipy.special import expit

    found: Floats = expit(values)
    return found


def _softmax(values: Floats) -> Floats:
    from scipy.special import softmax

    found: Floats = softmax(values, axis=1)
    return found
