"""The figures of each group on the test part (Fairlearn's MetricFrame), with intervals that draw whole entities.

MetricFrame's own bootstrap draws rows, which are not independent where an entity stands at several cutoffs.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from feature_store.definitions import Task
from ml_modeling.evaluation import bootstrap
from ml_modeling.evaluation.estimate import Estimate
from ml_modeling.fairness.disparity import furthest
from ml_modeling.fairness.outcomes import LOWEST_IS_ZERO, Outcomes, answered, metric_functions, outcomes
from ml_modeling.fairness.report import Disparity, FairnessReport, Group
from ml_modeling.frames.examples import Examples, Floats
from ml_modeling.specification import Bootstrap, Fairness
from ml_modeling.tasks.scoring import Scoring


@dataclass(frozen=True)
class Measured:
    """One metric of the groups of one column; a group of which it counts nothing is nan."""

    column: str
    metric: str
    groups: Sequence[str]
    values: Floats
    counted: Sequence[int]

    def judged(self, min_examples: int) -> list[int]:
        """The places of the groups that are large enough."""
        return [place for place, count in enumerate(self.counted) if count >= min_examples]


def measured(task: Task, examples: Examples, scoring: Scoring, fairness: Fairness) -> Iterator[Measured]:
    """Each metric of each sensitive column, counted here: the search asks at every trial."""
    compared = outcomes(task, examples, scoring)
    for column in fairness.columns:
        groups, members = np.unique(examples.groups[column], return_inverse=True)
        for metric in fairness.metrics:
            found = compared[metric]
            counts = np.bincount(members[found.counted], minlength=len(groups))
            sums = np.bincount(members[found.counted], found.values[found.counted], minlength=len(groups))
            values = np.divide(sums, counts, out=np.full(len(groups), np.nan), where=counts > 0)
            yield Measured(column, metric, groups.tolist(), values, counts.tolist())


def _by_metric_frame(task: Task, test: Examples, scoring: Scoring, found: Sequence[Measured]) -> list[Measured]:
    """The same with the values that Fairlearn gives."""
    from fairlearn.metrics import MetricFrame

    functions = metric_functions()
    metrics = {one.metric: functions[one.metric] for one in found}
    frames = {
        column: MetricFrame(
            metrics=metrics,
            y_true=test.y,
            y_pred=answered(task, scoring),
            sensitive_features=test.groups[column],
        ).by_group
        for column in dict.fromkeys(one.column for one in found)
    }
    return [
        replace(one, values=frames[one.column][one.metric].reindex(one.groups).to_numpy(dtype=np.float64))
        for one in found
    ]


def group_report(task: Task, test: Examples, scoring: Scoring, fairness: Fairness, rule: Bootstrap) -> FairnessReport:
    """The groups of a tested model and how far apart they lie."""
    found = _by_metric_frame(task, test, scoring, list(measured(task, test, scoring, fairness)))
    draws = _draws(outcomes(task, test, scoring), test, fairness, rule)
    return FairnessReport(
        min_examples=fairness.min_examples,
        groups=tuple(_groups(found, draws, test, rule.confidence)),
        disparities=tuple(
            _disparity(one, draws[_name(one.column, one.metric)], fairness.min_examples, rule.confidence)
            for one in found
        ),
    )


def _name(column: str, metric: str) -> str:
    return f"{column}\x1f{metric}"


def _draws(
    compared: Mapping[str, Outcomes], test: Examples, fairness: Fairness, rule: Bootstrap
) -> Mapping[str, Floats]:
    """Each metric of each column in every replicate: arrays (replicates, groups)."""
    members = {
        column: (test.groups[column][:, np.newaxis] == np.unique(test.groups[column])).astype(np.float64)
        for column in fairness.columns
    }

    def weighted(weights: Floats) -> Mapping[str, Floats]:
        return {
            _name(column, metric): _means(weights, compared[metric], members[column])
            for column in fairness.columns
            for metric in fairness.metrics
        }

    return bootstrap.replicates(test.entities, rule, weighted)


def _means(weights: Floats, compared: Outcomes, members: Floats) -> Floats:
    counted = members * compared.counted[:, np.newaxis]
    with np.errstate(invalid="ignore", divide="ignore"):
        means: Floats = (weights @ (counted * compared.values[:, np.newaxis])) / (weights @ counted)
    return means


def _groups(
    found: Sequence[Measured], draws: Mapping[str, Floats], test: Examples, confidence: float
) -> Iterator[Group]:
    for column in dict.fromkeys(one.column for one in found):
        of_column = [one for one in found if one.column == column]
        for place, group in enumerate(of_column[0].groups):
            there = [one for one in of_column if one.counted[place]]
            yield Group(
                column=column,
                group=group,
                examples=int((test.groups[column] == group).sum()),
                metrics={one.metric: _estimate(one, place, draws, confidence) for one in there},
                counted={one.metric: one.counted[place] for one in of_column},
            )


def _estimate(one: Measured, place: int, draws: Mapping[str, Floats], confidence: float) -> Estimate:
    interval = bootstrap.percentiles(draws[_name(one.column, one.metric)][:, place], confidence)
    return Estimate(value=float(one.values[place]), low=interval.low, high=interval.high)


def _disparity(one: Measured, draws: Floats, min_examples: int, confidence: float) -> Disparity:
    judged = one.judged(min_examples)
    told = {
        "column": one.column,
        "metric": one.metric,
        "judged": tuple(one.groups[place] for place in judged),
        "too_small": tuple(group for place, group in enumerate(one.groups) if place not in judged),
    }
    if len(judged) < 2:
        return Disparity(**told)
    apart = furthest(one.values[judged].tolist(), draws[:, judged], confidence, one.metric in LOWEST_IS_ZERO)
    return Disparity(
        **told,
        highest=one.groups[judged[apart.highest]],
        lowest=one.groups[judged[apart.lowest]],
        difference=apart.difference,
        ratio=apart.ratio,
    )
