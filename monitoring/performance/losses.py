"""The loss of each prediction, between 0 and 1: what a bet needs, and what training has the mean of."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


def squared_errors(y: Floats, scores: Floats) -> Floats:
    """Of yes or no: labels 0 or 1 and probabilities, both (n,). The mean is the Brier score."""
    losses: Floats = (scores - y) ** 2
    return losses


def class_losses(y: Integers, scores: Floats) -> Floats:
    """Of classes: their numbers (n,) and probabilities (n, classes). The mean is half of Brier's score of 1950."""
    losses: Floats = ((scores - np.eye(scores.shape[1])[y]) ** 2).sum(axis=1) / 2
    return losses


def absolute_errors(y: Floats, values: Floats, largest: float) -> Floats:
    """Of numbers: the error (n,) in parts of ``largest`` (above 0); one beyond it counts as it."""
    losses: Floats = np.minimum(np.abs(values - y) / largest, 1.0)
    return losses
