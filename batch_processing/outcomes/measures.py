"""How good some answers were: the metrics of their task, each with its interval, of a model, an arm and a day."""

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from feature_store.definitions import Task
from ml_modeling.evaluation import bootstrap
from ml_modeling.frames.examples import Examples, Floats
from ml_modeling.specification import BinarySpec
from ml_modeling.tasks import Scoring, TaskKind
from ml_modeling.use_case import UseCase

OUTPUTS = "outputs"


@dataclass(frozen=True)
class Measure:
    """A metric; without a value where the answers do not tell it, such as an AUC of one label."""

    metric: str
    value: float | None
    low: float | None
    high: float | None


def measures(use_case: UseCase, rows: pd.DataFrame) -> Iterator[Measure]:
    """The metrics of ``rows`` (n at least 1): ``label``, ``outputs``, ``entity``, ``decision`` and ``interval``.

    ``outputs`` are the score, the value, or the probability of each class. The rule of the intervals is the one that
    evaluation has: whole entities are drawn (``bootstrap`` of ``model.yaml``).
    """
    task, rule = use_case.task, use_case.spec.bootstrap
    examples, scoring = _examples(task, rows), _scoring(task, rows)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # of one label, of one row: what comes out as no number is none
        values = task.measure(examples, scoring)
        draws = bootstrap.replicates(examples.entities, rule, lambda weights: task.weighted(weights, examples, scoring))
    for metric, value in values.items():
        yield _measure(metric, value, draws, rule.confidence)


def _measure(metric: str, value: float, draws: Mapping[str, Floats], confidence: float) -> Measure:
    drawn = draws[metric]
    if not np.isfinite(value) or not np.isfinite(drawn).any():
        return Measure(metric, None, None, None)
    interval = bootstrap.percentiles(drawn, confidence)
    return Measure(metric, value, interval.low, interval.high)


def _examples(task: TaskKind, rows: pd.DataFrame) -> Examples:
    kind = np.float64 if task.name is Task.REGRESSION else np.int64
    entities = pd.factorize(rows["entity"].fillna(""), sort=True)[0].astype(np.int64)
    return Examples(np.empty((len(rows), 0)), rows["label"].to_numpy().astype(kind), entities)


def _scoring(task: TaskKind, rows: pd.DataFrame) -> Scoring:
    outputs = np.stack(rows[OUTPUTS].to_list()).astype(np.float64)
    if task.name is Task.MULTICLASS:
        return Scoring(outputs)
    if isinstance(task.spec, BinarySpec):
        return Scoring(
            outputs[:, 0], _threshold(outputs[:, 0], (rows["decision"] == task.spec.decisions[1]).to_numpy())
        )
    if rows["interval"].isna().any():
        return Scoring(outputs[:, 0])
    low, high = np.stack(rows["interval"].to_list()).astype(np.float64).T
    return Scoring(outputs[:, 0], low=low, high=high)


def _threshold(scores: Floats, is_positive: npt.NDArray[np.bool_]) -> float:
    """Where one model's decisions change: the log has these and not its threshold."""
    return float(scores[is_positive].min()) if is_positive.any() else np.inf
