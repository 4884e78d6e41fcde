"""How much an example counts when a candidate is fitted, by its label."""

from collections.abc import Sequence

import numpy as np

from ml_modeling.frames.examples import Floats, Integers
from ml_modeling.specification import ClassWeights


def class_weights(y: Integers, declared: ClassWeights | None, names: Sequence[str]) -> Floats | None:
    """The weight of each example (n,): balanced ones add up to the same for each label, and to n in all."""
    if declared is None:
        return None
    counts = np.bincount(y, minlength=len(names))
    if declared == "balanced":
        weights = len(y) / (np.count_nonzero(counts) * np.maximum(counts, 1))
    else:
        weights = np.array([declared[name] for name in names])
    chosen: Floats = weights[y]
    return chosen
