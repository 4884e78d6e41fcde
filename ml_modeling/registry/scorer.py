"""The probability of the positive class, without what a small request should not pay for."""

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def positive_probability(pipeline: Any, matrix: Floats) -> Floats:
    """Column 1 of ``pipeline.predict_proba(matrix)``, shape (n,).

    A random forest's own ``predict_proba`` hands every tree to a thread pool, which for a few rows costs many times
    the walk through the tree; here its trees are averaged directly.
    """
    from sklearn.ensemble import RandomForestClassifier

    final = final_step(pipeline)
    is_alone = final is pipeline or len(pipeline) == 1
    if is_alone and isinstance(final, RandomForestClassifier):
        return _forest_probability(final, matrix)
    positive: Floats = pipeline.predict_proba(matrix)[:, 1].astype(np.float64)
    return positive


def final_step(model: Any) -> Any:
    """The classifier: the last step of a pipeline, or the model itself."""
    from sklearn.pipeline import Pipeline

    return model[-1] if isinstance(model, Pipeline) else model


def _forest_probability(forest: Any, matrix: Floats) -> Floats:
    narrow = matrix.astype(np.float32)  # what the trees were grown on
    total = np.zeros(len(matrix))
    for tree in forest.estimators_:
        total += tree.tree_.predict(narrow)[:, 1]
    return total / len(forest.estimators_)
