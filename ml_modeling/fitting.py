"""Fitting one candidate: with weights of the classes, and stopped where the validation part gains no more."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sklearn.pipeline import Pipeline

from ml_modeling.candidates import Parameters, Recipe, build, fit_arguments
from ml_modeling.examples import Examples
from ml_modeling.tasks import TaskKind

STOPPED_EARLY = ("xgboost", "lightgbm")
ROUNDS = "n_estimators"


@dataclass(frozen=True)
class Fitted:
    """``parameters`` are those to fit again with: after an early stop the number of trees that were kept."""

    pipeline: Pipeline
    parameters: Parameters


@dataclass(frozen=True)
class Fitting:
    """How the candidates of a use case are fitted."""

    task: TaskKind
    recipe: Recipe

    def fit(self, candidate: str, parameters: Parameters, examples: Examples) -> Pipeline:
        """A candidate fitted on ``examples``, whatever the validation part says."""
        return self._fitted(build(candidate, parameters, self._seed, self.recipe), candidate, examples, {})

    def fit_validated(self, candidate: str, parameters: Parameters, train: Examples, validation: Examples) -> Fitted:
        """A candidate fitted on ``train``; where ``model.yaml`` says so, until ``validation`` gains no more."""
        stop = self.task.spec.early_stopping
        if stop is None or candidate not in STOPPED_EARLY:
            return Fitted(self.fit(candidate, parameters, train), parameters)
        pipeline = build(candidate, parameters, self._seed, self.recipe)
        before = pipeline[:-1]
        x = before.fit(train.x, train.y).transform(validation.x) if len(before) else validation.x
        watched: dict[str, Any] = {"eval_set": [(x, validation.y)]}
        if candidate == "xgboost":
            pipeline[-1].set_params(early_stopping_rounds=stop.rounds)
            watched["verbose"] = False
        else:
            import lightgbm

            watched["callbacks"] = [lightgbm.early_stopping(stop.rounds, verbose=False)]
        fitted = self._fitted(pipeline, candidate, train, watched)
        return Fitted(fitted, {**parameters, ROUNDS: _rounds(fitted[-1])})

    def _fitted(self, pipeline: Pipeline, candidate: str, examples: Examples, more: Mapping[str, Any]) -> Pipeline:
        weights = self.task.weights(examples)
        weighted = {} if weights is None else {"sample_weight": weights}
        told = {**fit_arguments(candidate, self.recipe), **weighted, **more}
        return pipeline.fit(examples.x, examples.y, **{f"model__{name}": value for name, value in told.items()})

    @property
    def _seed(self) -> int:
        return self.task.spec.search.seed


def _rounds(model: Any) -> int:
    """How many trees were kept."""
    if hasattr(model, "best_iteration_"):
        return int(model.best_iteration_)
    return int(model.best_iteration) + 1
