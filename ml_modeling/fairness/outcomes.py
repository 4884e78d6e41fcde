"""What is compared between groups: each metric is the mean of a value over the examples that it counts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from feature_store.definitions import Task
from ml_modeling.frames.examples import Examples, Floats
from ml_modeling.tasks.scoring import Scoring

Bools = npt.NDArray[np.bool_]
Metric = Callable[[Any, Any], Any]

LOWEST_IS_ZERO = ("selection_rate", "true_positive_rate", "false_positive_rate", "mae")
"""The metrics that have a ratio."""


@dataclass(frozen=True)
class Outcomes:
    """``values`` (n,) of the examples, of which those count that are ``counted`` (n,)."""

    values: Floats
    counted: Bools


def answered(task: Task, scoring: Scoring) -> npt.NDArray[Any]:
    """What was decided (0 or 1), or the value."""
    return scoring.scores if task is Task.REGRESSION else (scoring.scores >= scoring.threshold).astype(np.int64)


def outcomes(task: Task, examples: Examples, scoring: Scoring) -> Mapping[str, Outcomes]:
    """Every metric of a task's groups."""
    everyone = np.ones(len(examples), dtype=bool)
    if task is Task.REGRESSION:
        errors = scoring.scores - examples.y
        return {"mean_error": Outcomes(errors, everyone), "mae": Outcomes(np.abs(errors), everyone)}
    chosen = answered(task, scoring).astype(np.float64)
    return {
        "selection_rate": Outcomes(chosen, everyone),
        "true_positive_rate": Outcomes(chosen, examples.y == 1),
        "false_positive_rate": Outcomes(chosen, examples.y == 0),
    }


def metric_functions() -> Mapping[str, Metric]:
    """The same metrics as Fairlearn's MetricFrame takes them: functions of labels and answers."""
    from fairlearn import metrics
    from sklearn.metrics import mean_absolute_error

    return {
        "selection_rate": metrics.selection_rate,
        "true_positive_rate": metrics.true_positive_rate,
        "false_positive_rate": metrics.false_positive_rate,
        "mean_error": lambda y, values: float(np.mean(np.asarray(values) - np.asarray(y))),
        "mae": mean_absolute_error,
    }
