"""From a split frame to a fitted model: search on validation, threshold, final fit on all that precedes the test."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sklearn.pipeline import Pipeline

from ml_modeling.candidates import build
from ml_modeling.cutoffs import Split
from ml_modeling.evaluation.baseline import baseline_scores
from ml_modeling.evaluation.metrics import Metrics, max_f1_threshold, measure
from ml_modeling.examples import Examples, Floats, TrainingFrame, check_filled
from ml_modeling.leakage import check_features
from ml_modeling.registry.served import ServingSpec
from ml_modeling.specification import FixedThreshold, ModelSpec
from ml_modeling.tuning import Progress, Trial, best, search
from ml_modeling.use_case import UseCase
from tidemill.config.errors import TerminalError


class OneLabelError(TerminalError):
    """A part of the split in which every example has the same label."""


@dataclass(frozen=True)
class TrainedModel:
    """``validation`` are the metrics of the chosen parameters fitted on the training part alone.

    ``pipeline`` is the final fit, on every example whose label window ends before the first test cutoff.
    """

    pipeline: Pipeline
    serving: ServingSpec
    trials: Sequence[Trial]
    validation: Metrics
    baseline_threshold: float
    fitted: Examples
    test: Examples

    @property
    def chosen(self) -> Trial:
        return best(list(self.trials))


def fit(use_case: UseCase, frame: TrainingFrame, split: Split, progress: Progress) -> TrainedModel:
    """The best candidate, fitted.

    Raises:
        FrameError: a feature is empty where a model is fitted.
        LeakageError: a feature gives the label away.
        OneLabelError: nothing can be learned from, or measured on, a part.
        SearchError: a candidate cannot be trained with its parameters.
    """
    spec = use_case.spec
    parts = {"train": split.train, "validation": split.validation, "test": split.test, "before test": split.before_test}
    examples = {name: frame.at(cutoffs) for name, cutoffs in parts.items()}
    _check_labels(examples)
    check_filled("train", examples["train"], use_case.features)  # the search's fits; the final one has these rows too
    check_features(examples["before test"], use_case.features, spec.leakage)
    train, validation, everything = examples["train"], examples["validation"], examples["before test"]
    trials = search(train, validation, spec, progress)
    chosen = best(trials)
    candidate = build(chosen.candidate, chosen.parameters, spec.search.seed).fit(train.x, train.y)
    validation_scores = candidate.predict_proba(validation.x)[:, 1]
    threshold = _threshold(validation, validation_scores, spec)
    baseline = baseline_scores(validation.x, use_case.features, spec.baseline)
    return TrainedModel(
        pipeline=build(chosen.candidate, chosen.parameters, spec.search.seed).fit(everything.x, everything.y),
        serving=_serving(use_case, threshold, everything),
        trials=trials,
        validation=measure(validation.y, validation_scores, threshold),
        baseline_threshold=max_f1_threshold(validation.y, baseline),
        fitted=everything,
        test=examples["test"],
    )


def _check_labels(parts: Mapping[str, Examples]) -> None:
    for name, examples in parts.items():
        if not len(examples) or examples.base_rate in (0.0, 1.0):
            label = "no example" if not len(examples) else f"only label {int(examples.base_rate)}"
            raise OneLabelError(f"the {name} part has {label} ({len(examples)} examples): nothing to learn or measure")


def _threshold(validation: Examples, scores: Floats, spec: ModelSpec) -> float:
    if isinstance(spec.threshold, FixedThreshold):
        return spec.threshold.value
    return max_f1_threshold(validation.y, scores)


def _serving(use_case: UseCase, threshold: float, fitted: Examples) -> ServingSpec:
    rule, decisions = use_case.spec.cold_start, use_case.spec.decisions
    cold_start_score = rule.score_of(fitted.base_rate)
    return ServingSpec(
        use_case=use_case.name,
        feature_service=use_case.service.name,
        feature_fingerprint=use_case.service.fingerprint,
        features=use_case.features,
        threshold=threshold,
        decisions=decisions,
        cold_start_score=cold_start_score,
        cold_start_decision=rule.decision_of(cold_start_score, threshold, decisions),
    )
