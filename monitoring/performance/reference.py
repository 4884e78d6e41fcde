"""What the loss of a model was at training: from the metrics that its run keeps of the test part."""

from collections.abc import Mapping
from dataclasses import dataclass

from feature_store.definitions import Task
from ml_modeling.registry.versions import TEST_METRICS
from monitoring.performance.outcome_losses import LARGEST
from monitoring.performance.standing import LossReferenceError, Reference

METRICS = {Task.BINARY: "brier", Task.MULTICLASS: "brier", Task.REGRESSION: "mae"}


@dataclass(frozen=True)
class TrainedLoss:
    """``largest`` is the error that is the loss 1, of a question that wants a number."""

    reference: Reference
    largest: float | None = None


def trained_loss(task: Task, metrics: Mapping[str, float]) -> TrainedLoss:
    """From the ``metrics`` of a run: the mean loss of the test part, and its interval.

    Of numbers this is the mean error in parts of the largest, in which no error counts as more than that: so what is
    served loses at most as much, and a model is called worse rather too late than too soon.

    Raises:
        LossReferenceError: the run does not have them, or they are none of a loss.
    """
    name = f"{TEST_METRICS}{METRICS[task]}"
    wanted = (name, f"{name}.low", f"{name}.high")
    if missing := [metric for metric in wanted if metric not in metrics]:
        raise LossReferenceError(f"has no metric {', '.join(missing)}")
    value, low, high = (metrics[metric] for metric in wanted)
    if task is not Task.REGRESSION:
        return TrainedLoss(Reference(value, low, high))
    if not value > 0:
        raise LossReferenceError(f"has {name} = {value}: an error of which no other is a part")
    largest = LARGEST * value
    return TrainedLoss(Reference(value / largest, low / largest, high / largest), largest)
