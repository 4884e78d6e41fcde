"""The loss of an outcome, between 0 and 1, as DuckDB computes it from a row of ``gold/prediction_outcomes``."""

from typing import Any

from feature_store.definitions import Classes, Task
from ml_modeling.use_case import UseCase

OUTCOMES = "gold/prediction_outcomes"
LARGEST = 4.0
"""An error of so many times the mean one at training, or more, is the loss 1."""

LOSSES = {
    Task.BINARY: "power(score - label, 2)",
    Task.MULTICLASS: (
        "(list_sum(list_transform(map_values(scores), lambda p: p * p)) - 2 * scores[$classes[label::INT + 1]] + 1) / 2"
    ),
    Task.REGRESSION: "least(abs(value - label) / $largest, 1)",
}
"""Of each task: the squared error of the probability, half of Brier's score of 1950, the absolute error."""


KNOWN_UNTIL = "SELECT max(due_at) FROM outcomes WHERE use_case = $use_case AND state <> 'pending'"
"""The time of the newest outcome: no clock tells whether outcomes are joined, and verdicts arrive."""


def parameters(use_case: UseCase, largest: float | None) -> dict[str, Any]:
    """What the expression of the use case's task is asked with; ``largest`` is the error that is the loss 1."""
    match use_case.task.name, use_case.question.answer:
        case Task.MULTICLASS, Classes() as answer:
            return {"classes": list(answer.names)}
        case Task.REGRESSION, _:
            return {"largest": largest}
    return {}
