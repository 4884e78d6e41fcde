"""Count, mean and variance that merge without another look at the rows.

Source: Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1979.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Moments:
    """``squares`` is the sum of squared distances from ``mean``."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0

    @classmethod
    def of(cls, values: Floats) -> "Moments":
        """Of finite numbers of shape (n,)."""
        if not len(values):
            return cls()
        with np.errstate(over="ignore", invalid="ignore"):
            mean = values.mean()
            return cls(len(values), float(mean), float(np.square(values - mean).sum()))

    def merge(self, other: "Moments") -> "Moments":
        if not self.count or not other.count:
            return self if self.count else other
        count = self.count + other.count
        distance = other.mean - self.mean
        mean = (self.mean * self.count + other.mean * other.count) / count
        between = distance * distance * (self.count / count) * other.count
        return Moments(count, mean, self.squares + other.squares + between)

    @property
    def variance(self) -> float:
        """Of the sample (n - 1); nan for fewer than two values, infinite beyond float64."""
        return self.squares / (self.count - 1) if self.count > 1 else math.nan

    @property
    def standard_deviation(self) -> float:
        return math.sqrt(self.variance) if self.count > 1 else math.nan
