"""From a split frame to a fitted model: search on validation, threshold, final fit on all that precedes the test."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sklearn.pipeline import Pipeline

from ml_modeling.fairness.sensitive import check_told
from ml_modeling.frames.examples import Examples, TrainingFrame, check_filled, check_groups
from ml_modeling.frames.splits import Part, Split
from ml_modeling.registry.served import Serving
from ml_modeling.tasks import OneLabelError, Rule
from ml_modeling.training.fitting import Fitting
from ml_modeling.training.tuning import Progress, Trial, best, search
from ml_modeling.use_case import UseCase

__all__ = ["OneLabelError", "TrainedModel", "fit"]


@dataclass(frozen=True)
class TrainedModel:
    """``validation`` are the metrics of the chosen parameters fitted on the training part alone.

    ``pipeline`` is the final fit, on the examples whose labels are known before the test begins.
    """

    pipeline: Pipeline
    serving: Serving
    trials: Sequence[Trial]
    validation: Mapping[str, float]
    baseline_rule: Rule
    fitted: Examples
    test: Examples

    @property
    def chosen(self) -> Trial:
        return best(list(self.trials))


def fit(use_case: UseCase, frame: TrainingFrame, split: Split, progress: Progress) -> TrainedModel:
    """The best candidate, fitted.

    Raises:
        FrameError: a feature is empty where a model is fitted, or groups that are asked about are not there.
        LeakageError: a feature gives the label away.
        OneLabelError: nothing can be learned from, or measured on, a part.
        SearchError: a candidate cannot be trained with its parameters.
    """
    task = use_case.task
    fitting = Fitting(task, use_case.recipe)
    examples = {part: frame.part(split, part) for part in Part}
    for part, some in examples.items():
        task.check_part(part, some)
    train, validation, everything = examples[Part.TRAIN], examples[Part.VALIDATION], examples[Part.FIT]
    check_filled(Part.TRAIN, train, use_case.features)
    check_filled(Part.FIT, everything, use_case.features)
    task.check_leakage(everything, use_case.features)
    if use_case.spec.fairness is not None:
        check_groups(everything, use_case.spec.fairness.columns)
        check_told(everything, use_case.features, use_case.spec.fairness)
    trials = search(train, validation, fitting, progress)
    chosen = best(trials)
    scores = task.predict(fitting.fit(chosen.candidate, chosen.parameters, train), validation.x)
    rule = task.rule(validation, scores)
    return TrainedModel(
        pipeline=fitting.fit(chosen.candidate, chosen.parameters, everything),
        serving=task.serving(_common(use_case), rule, everything),
        trials=trials,
        validation=task.measure(validation, task.scoring(scores, rule)),
        baseline_rule=task.baseline_rule(validation, everything, use_case.features),
        fitted=everything,
        test=examples[Part.TEST],
    )


def _common(use_case: UseCase) -> Mapping[str, Any]:
    """What is stored with a model of any task."""
    keys = [use_case.question.entity.key, *use_case.service.keys]
    return {
        "use_case": use_case.name,
        "feature_service": use_case.service.name,
        "feature_fingerprint": use_case.service.fingerprint,
        "features": use_case.features,
        "entities": tuple(dict.fromkeys(keys)),
        "inputs": tuple(one.name for one in use_case.service.inputs),
    }
