"""Why a model answers as it does: SHAP values of its features (Lundberg and Lee 2017)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from ml_modeling.evaluation.columns import features_of
from ml_modeling.frames.examples import Floats

EXPLAINED_ROWS = 400
SAMPLED_ROWS, SAMPLED_BACKGROUND = 100, 30  # of a model whose values have no formula
BACKGROUND_ROWS = 100
SEED = 5


@dataclass(frozen=True)
class Explanation:
    """``values`` and ``x`` have shape (rows, features): what each feature added to the model's output, and its value.

    The output is the log-odds, or the number that is predicted; for forests and networks the probability. Of several
    classes it is how much a feature moved the outputs of all of them, whichever way.
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
    model, before = pipeline[-1], pipeline[:-1]
    rows = _sample(x, EXPLAINED_ROWS if _is_tree(model) or _is_linear(model) else SAMPLED_ROWS)
    reference = _sample(background, BACKGROUND_ROWS)
    if not len(before):
        return Explanation(features, _one_output(_shap_values(model, rows, reference)), rows)
    values = _one_output(_shap_values(model, before.transform(rows), before.transform(reference)))
    return Explanation(features, _by_feature(values, before.get_feature_names_out(features), features), rows)


def _shap_values(model: Any, rows: Floats, reference: Floats) -> Any:
    """By the formula of trees or of linear models; of any other by permuting features (Strumbelj, Kononenko 2014)."""
    import shap

    if _is_tree(model):
        return shap.TreeExplainer(model).shap_values(rows)
    if _is_linear(model):
        return shap.LinearExplainer(model, reference).shap_values(rows)
    answer = getattr(model, "predict_proba", model.predict)
    masker = shap.maskers.Independent(reference, max_samples=SAMPLED_BACKGROUND)
    explainer = shap.explainers.Permutation(answer, masker, seed=SEED)
    return explainer(rows, max_evals=2 * rows.shape[1] + 1, silent=True).values


def _is_tree(model: Any) -> bool:
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    library = type(model).__module__.partition(".")[0]
    return library in ("xgboost", "lightgbm") or isinstance(model, RandomForestClassifier | RandomForestRegressor)


def _is_linear(model: Any) -> bool:
    from sklearn.linear_model import LogisticRegression, Ridge

    return isinstance(model, LogisticRegression | Ridge)


def _by_feature(values: Floats, columns: Sequence[str], features: tuple[str, ...]) -> Floats:
    """The values of the columns that were made of each feature: itself, one for each category, where it is missing.

    A feature that no column was made of adds nothing.
    """
    summed = np.zeros((len(values), len(features)))
    np.add.at(summed.T, features_of(columns, features), values.T)
    return summed


def _one_output(values: Any) -> Floats:
    """Of yes and no the yes; of several classes all of them, without their signs."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim < 3:
        return array
    return array[..., 1] if array.shape[2] == 2 else np.abs(array).sum(axis=2)


def _sample(x: Floats, rows: int) -> Floats:
    if len(x) <= rows:
        return x
    chosen = np.random.default_rng(SEED).choice(len(x), size=rows, replace=False)
    return x[np.sort(chosen)]
