"""What was answered for some examples, before it is held against what came true."""

from collections.abc import Mapping
from dataclasses import dataclass

from ml_modeling.frames.examples import Floats

Rule = Mapping[str, float]
"""What turns an answer into a decision or an interval: numbers by name, which a run and a model keep."""


@dataclass(frozen=True)
class Scoring:
    """``scores`` are probabilities (n,), the values (n,) of numbers, or probabilities (n, classes).

    From ``threshold`` on a probability means the positive decision; ``low`` and ``high`` (n,) are around a value.
    """

    scores: Floats
    threshold: float = 0.5
    low: Floats | None = None
    high: Floats | None = None
