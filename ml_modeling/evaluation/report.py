"""What is known about a model after it was tested: every number of it in one document."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict

from ml_modeling.evaluation import bootstrap
from ml_modeling.evaluation.baseline import baseline_scores, describe
from ml_modeling.evaluation.bootstrap import Scoring
from ml_modeling.evaluation.metrics import Metrics, calibration, measure
from ml_modeling.examples import Examples, Floats
from ml_modeling.specification import ModelSpec

RANKING = ("roc_auc", "average_precision")
OF_DECISIONS_AND_RANKS = (*RANKING, "f1", "accuracy")  # the baseline's score is no probability: it has no Brier score


class Estimate(BaseModel):
    """A value and its interval."""

    model_config = ConfigDict(frozen=True)

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


class Bin(BaseModel):
    mean_score: float
    positive_share: float
    count: int


class EvaluationReport(BaseModel):
    """Metrics on the test part; ``gain`` is the model minus the baseline, paired."""

    model_config = ConfigDict(frozen=True)

    examples: int
    entities: int
    base_rate: float
    threshold: float
    confidence: float
    metrics: dict[str, Estimate]
    baseline_rule: str
    baseline: dict[str, Estimate]
    gain: dict[str, Estimate]
    calibration: list[Bin]


@dataclass(frozen=True)
class _Measured:
    """A scoring's metrics, and each metric in every replicate."""

    values: Metrics
    draws: Mapping[str, Floats]


def evaluate(
    test: Examples, features: tuple[str, ...], scoring: Scoring, baseline_threshold: float, spec: ModelSpec
) -> EvaluationReport:
    """The report of a model's scores on the test part."""
    confidence = spec.bootstrap.confidence
    rule = Scoring(baseline_scores(test.x, features, spec.baseline), baseline_threshold)
    model, baseline = _measured(test, scoring, spec), _measured(test, rule, spec)
    of_baseline = _estimates(baseline, confidence)
    return EvaluationReport(
        examples=len(test),
        entities=len(np.unique(test.entities)),
        base_rate=test.base_rate,
        threshold=scoring.threshold,
        confidence=confidence,
        metrics=_estimates(model, confidence),
        baseline_rule=describe(spec.baseline),
        baseline={name: of_baseline[name] for name in OF_DECISIONS_AND_RANKS},
        gain={name: _difference(model, baseline, name, confidence) for name in RANKING},
        calibration=[Bin.model_validate(part, from_attributes=True) for part in calibration(test.y, scoring.scores)],
    )


def compare(test: Examples, new: Scoring, old: Scoring, metric: str, spec: ModelSpec) -> Estimate:
    """The metric of ``new`` minus that of ``old`` on the same examples, paired."""
    return _difference(_measured(test, new, spec), _measured(test, old, spec), metric, spec.bootstrap.confidence)


def _measured(test: Examples, scoring: Scoring, spec: ModelSpec) -> _Measured:
    draws = bootstrap.replicates(test.y, test.entities, scoring, spec.bootstrap)
    return _Measured(measure(test.y, scoring.scores, scoring.threshold), draws)


def _difference(new: _Measured, old: _Measured, metric: str, confidence: float) -> Estimate:
    interval = bootstrap.difference(new.draws, old.draws, metric, confidence)
    value = new.values.as_dict()[metric] - old.values.as_dict()[metric]
    return Estimate(value=value, low=interval.low, high=interval.high)


def _estimates(measured: _Measured, confidence: float) -> dict[str, Estimate]:
    found = bootstrap.intervals(measured.draws, confidence)
    return {
        name: Estimate(value=value, low=found[name].low, high=found[name].high)
        for name, value in measured.values.as_dict().items()
    }
