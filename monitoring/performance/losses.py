"""The loss of each prediction, between 0 and 1: what a bet needs, and what training has the mean of.

What was served is read with its losses by :mod:`monitoring.performance.served`.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


def squared_errors(y: Floats, scores: Floats) -> Floats:
    """Of yes or no: labels 0 or 1 and probabilities, both (n,). The mean is the Brier score."""
    losses: Floats = (scores - y) ** 2
    return losses
