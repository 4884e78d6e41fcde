"""Why a model answered one row as it did: the SHAP values of its features (Lundberg and Lee 2017), fast enough to ask.

They are exact for trees (Lundberg et al. 2020, by the paths of the training rows) and for linear models (against the
mean of the background); for a network they are those of a bounded number of permutations (Strumbelj, Kononenko 2014).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ml_modeling.evaluation.columns import UnexplainableModelError, features_of
from ml_modeling.registry.answers import ClassScores, Scores, answer
from ml_modeling.registry.scorer import Floats, final_step
from ml_modeling.registry.served import MulticlassServing, RegressionServing, Serving, ServingSpec

Space = Literal["log_odds", "logit", "probability", "value", "log_value"]
Contributions = tuple[Floats, Floats]
"""What each feature added to each output (features, outputs), and the outputs that they are added to (outputs,)."""
Explain = Callable[[Floats], Contributions]

PERMUTATIONS = 10
ROWS_SCORED = 20_000  # at most, by a network, for the reasons of one row
CHECKED_ROWS = 3
TOLERANCE = 1e-3
SEED = 5


@dataclass(frozen=True)
class Reasons:
    """What each feature added to ``base``: together they are ``output``, which is in ``space``.

    ``explained`` is the decision that it speaks for; None of a number.
    """

    space: Space
    explained: str | None
    base: float
    contributions: tuple[float, ...]

    @property
    def output(self) -> float:
        return self.base + sum(self.contributions)


class Reasoner:
    """Gives the reasons of one model; made once, for it computes what does not depend on the row."""

    def __init__(self, spec: Serving, pipeline: Any, background: Floats | None) -> None:
        """Raises UnexplainableModelError when there is no way for this model, or its reasons are not its answers'."""
        self._spec = spec
        self._pipeline = pipeline
        self._explain, self._space = _way(spec, pipeline, background)
        self._check(background)

    def reasons(self, row: Floats) -> Reasons:
        """Of one row (features,); nan is a missing value.

        Raises:
            UnexplainableModelError: what its features added is beyond the numbers that a double holds.
        """
        contributions, bases = self._explain(row[np.newaxis, :])
        if not np.isfinite(np.abs(contributions).sum()):
            raise UnexplainableModelError("what the features of this row added is no finite number")
        number, explained = self._of(row, len(bases))
        return Reasons(
            self._space, explained, float(bases[number]), tuple(float(value) for value in contributions[:, number])
        )

    def _of(self, row: Floats, outputs: int) -> tuple[int, str | None]:
        """Which output is explained, and the decision that it speaks for."""
        match self._spec:
            case ServingSpec(decisions=(_, positive)):
                return outputs - 1, positive
            case MulticlassServing(classes=classes):
                found = answer(self._spec, self._pipeline, row[np.newaxis, :])
                decided = found.decisions[0] if isinstance(found, ClassScores) else classes[0]
                return classes.index(decided), decided
        return 0, None

    def _check(self, background: Floats | None) -> None:
        """The reasons of some rows must add up to what the model answers."""
        width = len(self._spec.features)
        rows = [np.full((1, width), np.nan), np.zeros((1, width))]
        for row in np.vstack([*rows, *([] if background is None else [background[:CHECKED_ROWS]])]):
            contributions, bases = self._explain(row[np.newaxis, :])
            told = _answered(self._space, bases + contributions.sum(axis=0))
            given = _given(self._spec, self._pipeline, row[np.newaxis, :])
            if not np.allclose(told, given, rtol=TOLERANCE, atol=TOLERANCE):
                raise UnexplainableModelError(
                    f"its reasons add up to {told.tolist()} where it answers {given.tolist()}"
                )


def _given(spec: Serving, pipeline: Any, matrix: Floats) -> Floats:
    if isinstance(spec, RegressionServing):
        return np.asarray(pipeline.predict(matrix), dtype=np.float64)
    found = answer(spec, pipeline, matrix)
    return found.scores if isinstance(found, Scores) else np.asarray(pipeline.predict_proba(matrix)[0])


def _answered(space: Space, outputs: Floats) -> Floats:
    """What the model answers when it puts out ``outputs``; of two classes the second one's."""
    match space:
        case "log_odds":
            return np.asarray(1 / (1 + np.exp(-outputs[-1:])))
        case "logit":
            raised = np.exp(outputs - outputs.max())
            return np.asarray(raised / raised.sum())
        case "log_value":
            return np.asarray(np.exp(outputs))
        case "probability":
            return outputs if len(outputs) > 2 else outputs[-1:]
        case "value":
            return outputs


def _way(spec: Serving, pipeline: Any, background: Floats | None) -> tuple[Explain, Space]:
    model = final_step(pipeline)
    before: Any = pipeline[:-1] if model is not pipeline else ()
    kind = type(model).__name__
    margin: Space = _MARGINS[spec.task]
    scores: Space = "value" if isinstance(spec, RegressionServing) else "probability"
    by_columns: Explain
    if kind in ("XGBClassifier", "XGBRegressor"):
        by_columns, space = _xgboost(model), _value_space(margin, str(model.objective))
    elif kind in ("LGBMClassifier", "LGBMRegressor"):
        by_columns, space = _lightgbm(model), _value_space(margin, str(model.objective_))
    elif kind in ("RandomForestClassifier", "RandomForestRegressor"):
        by_columns, space = _forest(model), scores
    elif kind in ("LogisticRegression", "Ridge"):
        rows = _needed(background)
        by_columns, space = _linear(model, before.transform(rows) if len(before) else rows), margin
    elif kind in ("MLPClassifier", "MLPRegressor"):
        return _permutations(pipeline, _needed(background), isinstance(spec, RegressionServing)), scores
    else:
        raise UnexplainableModelError(f"there are no reasons for a {kind}: only for the built-in candidates")
    if not len(before):
        return by_columns, space
    places = features_of(before.get_feature_names_out(spec.features), spec.features)

    def by_features(matrix: Floats) -> Contributions:
        contributions, bases = by_columns(np.asarray(before.transform(matrix), dtype=np.float64))
        summed = np.zeros((len(spec.features), len(bases)))
        np.add.at(summed, places, contributions)
        return summed, bases

    return by_features, space


_MARGINS: dict[str, Space] = {"binary": "log_odds", "multiclass": "logit", "regression": "value"}
LOG_LINKED = ("poisson", "gamma", "tweedie")


def _value_space(margin: Space, objective: str) -> Space:
    """Boosting adds up logarithms where its objective is one of those with a logarithm as a link."""
    is_log = margin == "value" and any(name in objective for name in LOG_LINKED)
    return "log_value" if is_log else margin


def _needed(background: Floats | None) -> Floats:
    if background is None:
        raise UnexplainableModelError("it was logged without rows to compare with: train it again")
    return background


def _split(values: Floats, columns: int) -> Contributions:
    """Of the libraries' own values, whose last column is the base: (outputs, columns + 1)."""
    by_output = values.reshape(-1, columns + 1)
    return by_output[:, :-1].T, by_output[:, -1]


def _xgboost(model: Any) -> Explain:
    import xgboost

    booster = model.get_booster()
    last = getattr(model, "best_iteration", None)
    trees = (0, 0) if last is None else (0, last + 1)
    largest = np.finfo(np.float32).max  # trees split below it, and a matrix refuses what is beyond

    def explain(matrix: Floats) -> Contributions:
        rows = xgboost.DMatrix(
            np.clip(matrix, -largest, largest),
            feature_types=model.feature_types,
            enable_categorical=bool(model.enable_categorical),
            nthread=1,
        )
        values = booster.predict(rows, pred_contribs=True, iteration_range=trees, validate_features=False)
        return _split(np.asarray(values, dtype=np.float64), matrix.shape[1])

    return explain


def _lightgbm(model: Any) -> Explain:
    booster = model.booster_

    def explain(matrix: Floats) -> Contributions:
        values = booster.predict(matrix, pred_contrib=True, num_threads=1)
        return _split(np.asarray(values, dtype=np.float64), matrix.shape[1])

    return explain


def _forest(model: Any) -> Explain:
    import shap

    explainer = shap.TreeExplainer(model)
    bases = np.atleast_1d(np.asarray(explainer.expected_value, dtype=np.float64))

    def explain(matrix: Floats) -> Contributions:
        values = np.asarray(explainer.shap_values(matrix, check_additivity=False), dtype=np.float64)[0]
        return values.reshape(matrix.shape[1], len(bases)), bases

    return explain


def _linear(model: Any, background: Floats) -> Explain:
    weights = np.atleast_2d(model.coef_).T
    mean = background.mean(axis=0)
    bases = np.atleast_1d(model.intercept_) + mean @ weights

    def explain(matrix: Floats) -> Contributions:
        return weights * (matrix[0] - mean)[:, np.newaxis], bases

    return explain


def _permutations(pipeline: Any, background: Floats, is_number: bool) -> Explain:
    """Of the whole pipeline, so that a feature is one player, whatever columns are made of it."""
    import shap

    predict = pipeline.predict if is_number else pipeline.predict_proba
    masker = shap.maskers.Independent(background, max_samples=len(background))
    a_permutation = 2 * background.shape[1] + 1
    number = int(np.clip(ROWS_SCORED // (a_permutation * len(background)), 1, PERMUTATIONS))

    def explain(matrix: Floats) -> Contributions:
        explainer = shap.explainers.Permutation(predict, masker, seed=SEED)
        found = explainer(matrix, max_evals=number * a_permutation, silent=True)
        bases = np.atleast_1d(np.asarray(found.base_values, dtype=np.float64)[0])
        return np.asarray(found.values, dtype=np.float64)[0].reshape(matrix.shape[1], len(bases)), bases

    return explain
