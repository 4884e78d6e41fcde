"""Why a model answers as it does: SHAP values of its features (Lundberg and Lee 2017)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from ml_modeling.examples import Floats

EXPLAINED_ROWS = 400
BACKGROUND_ROWS = 100
SEED = 5
MARKS_MISSING = "missingindicator_"  # what scikit-learn's imputer puts before the name of the feature


@dataclass(frozen=True)
class Explanation:
    """``values`` and ``x`` have shape (rows, features): what each feature added to the model's output, and its value.

    The output is the log-odds, for the random forest the probability.
    """

    features: tuple[str, ...]
    values: Floats
    x: Floats

    @property
    def importance(self) -> dict[str, float]:
        """The mean absolute SHAP value of each feature, largest first."""
        means = np.abs(self.values).mean(axis=0)
        return {self.features[index]: float(means[index]) for index in np.argsort(-means)}


def explain(pipeline: Pipeline, x: Floats, background: Floats, features: tuple[str, ...]) -> Explanation:
    """SHAP values of a sample of the rows of ``x`` (n, features)."""
    import shap

    rows, reference = _sample(x, EXPLAINED_ROWS), _sample(background, BACKGROUND_ROWS)
    model = pipeline[-1]
    if len(pipeline) == 1:
        return Explanation(features, _of_positive_class(shap.TreeExplainer(model).shap_values(rows)), rows)
    before = pipeline[:-1]
    explainer = shap.LinearExplainer(model, before.transform(reference))
    values = _of_positive_class(explainer.shap_values(before.transform(rows)))
    return Explanation(features, _by_feature(values, before.get_feature_names_out(features), features), rows)


def _by_feature(values: Floats, columns: Sequence[str], features: tuple[str, ...]) -> Floats:
    """The values of the columns that were made of each feature: itself, and the one that marks where it is missing.

    A feature that no column was made of adds nothing.
    """
    summed = np.zeros((len(values), len(features)))
    for column, value in zip(columns, values.T, strict=True):
        feature = column if column in features else column.removeprefix(MARKS_MISSING)
        summed[:, features.index(feature)] += value
    return summed


def _of_positive_class(values: Any) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    return array[..., 1] if array.ndim == 3 else array


def _sample(x: Floats, rows: int) -> Floats:
    if len(x) <= rows:
        return x
    chosen = np.random.default_rng(SEED).choice(len(x), size=rows, replace=False)
    return x[np.sort(chosen)]
