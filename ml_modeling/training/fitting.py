"""Fitting one candidate: with weights of the classes, and stopped where the validation part gains no more."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import Pipeline

from feature_store.definitions import Task
from ml_modeling.candidates.pipelines import MLP, Parameters, Recipe, build, fit_arguments
from ml_modeling.fairness.mitigation import STRENGTH, reweighted
from ml_modeling.frames.examples import Examples, Floats
from ml_modeling.specification import Mitigation, SearchSpace
from ml_modeling.tasks import TaskKind
from ml_modeling.tasks.binary import THRESHOLD, BinaryTask

HELD_OUT = 3
BOOSTED = ("xgboost", "lightgbm")
TREES, PASSES = "n_estimators", "max_iter"
WHOLE_BATCHES = "lbfgs"  # the solver of networks that does not go pass by pass


@dataclass(frozen=True)
class Fitted:
    """``parameters`` are those to fit again with: after an early stop the number of trees or passes."""

    pipeline: Pipeline
    parameters: Parameters


@dataclass(frozen=True)
class Fitting:
    """How the candidates of a use case are fitted."""

    task: TaskKind
    recipe: Recipe

    @property
    def contenders(self) -> Mapping[str, SearchSpace]:
        """The candidates that take part in the search, a mitigation among them."""
        candidates, mitigation = self.task.spec.candidates, self._mitigation
        if mitigation is None:
            return candidates
        space = candidates[mitigation.candidate]
        return {**candidates, mitigation.name: {**space, STRENGTH: mitigation.strength}}

    def fit(self, candidate: str, parameters: Parameters, examples: Examples) -> Pipeline:
        """A candidate fitted on ``examples``, whatever the validation part says."""
        if self._is_mitigated(candidate):
            return self._mitigated(parameters, examples)
        return self._fitted(build(candidate, parameters, self._seed, self.recipe), candidate, examples, {})

    def fit_validated(self, candidate: str, parameters: Parameters, train: Examples, validation: Examples) -> Fitted:
        """A candidate fitted on ``train``; where ``model.yaml`` says so, until ``validation`` gains no more."""
        stop = self.task.spec.early_stopping
        if stop is None or self._is_mitigated(candidate):
            return Fitted(self.fit(candidate, parameters, train), parameters)
        pipeline = build(candidate, parameters, self._seed, self.recipe)
        if candidate in BOOSTED:
            return self._boosted(pipeline, candidate, parameters, (train, validation))
        if candidate == MLP and pipeline[-1].solver != WHOLE_BATCHES:
            passes = {**parameters, PASSES: self._passes(pipeline, train, validation)}
            return Fitted(self.fit(candidate, passes, train), passes)
        return Fitted(self.fit(candidate, parameters, train), parameters)

    def _boosted(
        self, pipeline: Pipeline, candidate: str, parameters: Parameters, parts: tuple[Examples, Examples]
    ) -> Fitted:
        """Trees are added until so many more gain nothing: the libraries watch that themselves."""
        train, validation = parts
        before = pipeline[:-1]
        x = before.fit(train.x, train.y).transform(validation.x) if len(before) else validation.x
        watched: dict[str, Any] = {"eval_set": [(x, validation.y)]}
        if candidate == "xgboost":
            pipeline[-1].set_params(early_stopping_rounds=self._patience)
            watched["verbose"] = False
        else:
            import lightgbm

            watched["callbacks"] = [lightgbm.early_stopping(self._patience, verbose=False)]
        fitted = self._fitted(pipeline, candidate, train, watched)
        return Fitted(fitted, {**parameters, TREES: _kept(fitted[-1])})

    def _passes(self, pipeline: Pipeline, train: Examples, validation: Examples) -> int:
        """After how many passes over ``train`` a network ranks ``validation`` best.

        Its own ``early_stopping`` would hold back rows at random, not in time.
        """
        metric, model = self.task.spec.search.metric, pipeline[-1]
        x = pipeline[:-1].fit_transform(train.x, train.y)
        told = {} if self.task.name is Task.REGRESSION else {"classes": np.unique(train.y)}
        weights = self.task.weights(train)
        best, best_score = 1, -math.inf
        for number in range(1, model.max_iter + 1):
            model.partial_fit(x, train.y, sample_weight=weights, **told)
            score = self.task.rank(metric, validation, self.task.predict(pipeline, validation.x))
            if score > best_score:
                best, best_score = number, score
            if number - best >= self._patience:
                break
        return best

    @property
    def _mitigation(self) -> Mitigation | None:
        return self.task.spec.fairness.mitigation if self.task.spec.fairness else None

    def _is_mitigated(self, candidate: str) -> bool:
        return self._mitigation is not None and candidate == self._mitigation.name

    def _mitigated(self, parameters: Parameters, examples: Examples) -> Pipeline:
        """The candidate fitted again, on examples weighed by how far apart its groups lay."""
        fairness, mitigation, task = self.task.spec.fairness, self._mitigation, self.task
        if fairness is None or mitigation is None or not isinstance(task, BinaryTask):
            raise TypeError(f"{task.name} has no mitigation")
        strength, own = parameters[STRENGTH], {name: value for name, value in parameters.items() if name != STRENGTH}
        scores = self._held_out(mitigation.candidate, own, examples)
        threshold = task.rule(examples, scores)[THRESHOLD]
        labels, weights = reweighted(examples, scores, threshold, strength, fairness)
        pipeline = build(mitigation.candidate, own, self._seed, self.recipe)
        relabelled = replace(examples, y=labels)
        return self._fitted(pipeline, mitigation.candidate, relabelled, {"sample_weight": weights})

    def _held_out(self, candidate: str, parameters: Parameters, examples: Examples) -> Floats:
        """The scores of all ``examples``, each by a fit on other entities."""
        scores = np.empty(len(examples))
        for fitted, held_out in GroupKFold(HELD_OUT).split(examples.x, groups=examples.entities):
            pipeline = self.fit(candidate, parameters, examples.take(fitted))
            scores[held_out] = self.task.predict(pipeline, examples.x[held_out])
        return scores

    @property
    def _patience(self) -> int:
        stop = self.task.spec.early_stopping
        return stop.rounds if stop else 0

    def _fitted(self, pipeline: Pipeline, candidate: str, examples: Examples, more: Mapping[str, Any]) -> Pipeline:
        weights = self.task.weights(examples)
        weighted = {} if weights is None else {"sample_weight": weights}
        told = {**fit_arguments(candidate, self.recipe), **weighted, **more}
        return pipeline.fit(examples.x, examples.y, **{f"model__{name}": value for name, value in told.items()})

    @property
    def _seed(self) -> int:
        return self.task.spec.search.seed


def _kept(model: Any) -> int:
    """How many trees were kept."""
    if hasattr(model, "best_iteration_"):
        return int(model.best_iteration_)
    return int(model.best_iteration) + 1
