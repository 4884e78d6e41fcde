"""Testing a model: its metrics and the baseline's on the test part, each with an interval, and their difference."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ml_modeling.evaluation import bootstrap
from ml_modeling.evaluation.report import Estimate, EvaluationReport
from ml_modeling.fairness.groups import group_report
from ml_modeling.fairness.report import FairnessReport
from ml_modeling.frames.examples import Examples, Floats
from ml_modeling.specification import Bootstrap
from ml_modeling.tasks.scoring import Scoring
from ml_modeling.tasks.task import TaskKind


@dataclass(frozen=True)
class _Measured:
    """A scoring's metrics, and each metric in every replicate."""

    values: Mapping[str, float]
    draws: Mapping[str, Floats]


def evaluate(task: TaskKind, test: Examples, scoring: Scoring, baseline: Scoring, rule: Bootstrap) -> EvaluationReport:
    """The report of a model's answers on the test part."""
    model, simple = _measured(task, test, scoring, rule), _measured(task, test, baseline, rule)
    of_baseline = _estimates(simple, rule.confidence)
    common = {
        "examples": len(test),
        "entities": len(np.unique(test.entities)),
        "confidence": rule.confidence,
        "metrics": _estimates(model, rule.confidence),
        "baseline_rule": task.describe_baseline(),
        "baseline": {name: of_baseline[name] for name in task.of_baseline if name in of_baseline},
        "fairness": _groups(task, test, scoring, rule),
        "gain": {name: _difference(model, simple, name, rule.confidence) for name in task.compared},
    }
    return task.report(common, test, scoring)


def _groups(task: TaskKind, test: Examples, scoring: Scoring, rule: Bootstrap) -> FairnessReport | None:
    fairness = task.spec.fairness
    if fairness is None or any(column not in test.groups for column in fairness.columns):
        return None
    return group_report(task.name, test, scoring, fairness, rule)


def compare(task: TaskKind, test: Examples, new: Scoring, old: Scoring, metric: str, rule: Bootstrap) -> Estimate:  # noqa: PLR0913, PLR0917 - two scorings of one test
    """The metric of ``new`` minus that of ``old`` on the same examples, paired."""
    return _difference(_measured(task, test, new, rule), _measured(task, test, old, rule), metric, rule.confidence)


def _measured(task: TaskKind, test: Examples, scoring: Scoring, rule: Bootstrap) -> _Measured:
    draws = bootstrap.replicates(test.entities, rule, lambda weights: task.weighted(weights, test, scoring))
    return _Measured(task.measure(test, scoring), draws)


def _difference(new: _Measured, old: _Measured, metric: str, confidence: float) -> Estimate:
    interval = bootstrap.difference(new.draws, old.draws, metric, confidence)
    return Estimate(value=new.values[metric] - old.values[metric], low=interval.low, high=interval.high)


def _estimates(measured: _Measured, confidence: float) -> dict[str, Estimate]:
    found = bootstrap.intervals(measured.draws, confidence)
    return {
        name: Estimate(value=value, low=found[name].low, high=found[name].high)
        for name, value in measured.values.items()
    }
