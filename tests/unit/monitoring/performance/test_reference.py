"""What a training run says of the loss."""

import math

import pytest

from feature_store.definitions import Task
from monitoring.performance import LossReferenceError, Reference
from monitoring.performance.reference import trained_loss


@pytest.mark.parametrize("task", [Task.BINARY, Task.MULTICLASS])
def test_the_loss_of_probabilities_is_their_brier_score(task: Task) -> None:
    found = trained_loss(
        task, {"test.brier": 0.18, "test.brier.low": 0.16, "test.brier.high": 0.2, "test.roc_auc": 0.8}
    )
    assert (found.reference, found.largest) == (Reference(0.18, 0.16, 0.2), None)


def test_the_loss_of_numbers_is_a_quarter_in_the_mean() -> None:
    found = trained_loss(Task.REGRESSION, {"test.mae": 10.0, "test.mae.low": 8.0, "test.mae.high": 13.0})
    assert found.largest == 40.0
    assert (found.reference.value, found.reference.low, found.reference.high) == pytest.approx((0.25, 0.2, 0.325))


@pytest.mark.parametrize(
    ("task", "metrics", "sentence"),
    [
        (Task.BINARY, {"test.roc_auc": 0.8}, "no metric test.brier, test.brier.low, test.brier.high"),
        (Task.BINARY, {"test.brier": 0.1, "test.brier.low": 0.0}, "no metric test.brier.high"),
        (Task.REGRESSION, {"test.mae": 0.0, "test.mae.low": 0.0, "test.mae.high": 0.0}, "test.mae = 0.0"),
        (Task.REGRESSION, {"test.mae": math.nan, "test.mae.low": 1.0, "test.mae.high": 1.0}, "test.mae = nan"),
        (Task.BINARY, {"test.brier": math.nan, "test.brier.low": 0.1, "test.brier.high": 0.3}, "mean loss of nan"),
        (Task.BINARY, {"test.brier": 0.2, "test.brier.low": 0.3, "test.brier.high": 0.4}, "mean loss of 0.2"),
    ],
)
def test_a_run_that_does_not_say_it_is_told_by_the_metric(task: Task, metrics: dict[str, float], sentence: str) -> None:
    with pytest.raises(LossReferenceError, match=sentence):
        trained_loss(task, metrics)
