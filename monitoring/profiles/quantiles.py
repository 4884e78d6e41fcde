"""The distribution of a column of numbers as a KLL sketch, and what is read from it.

Source: Karnin, Lang and Liberty, "Optimal quantile approximation in streams", 2016, as Apache DataSketches has it.
With ``K`` = 800 the rank of a value is off by at most 0.35 % in 99 of 100 sketches, however many values there were, and
a sketch holds about 2,400 of them (19 KB). Up to about ``K`` values it is exact.
"""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from datasketches import kll_doubles_sketch

from monitoring.profiles.moments import Floats

K = 800
_NORMAL_99 = 2.576
"""DataSketches states errors that 99 % of sketches keep within; a normal error does so within this many deviations."""


class Quantiles:
    """A KLL sketch. ``update`` changes it; everything else leaves it as it is."""

    def __init__(self, sketch: kll_doubles_sketch | None = None) -> None:
        self.sketch = sketch if sketch is not None else kll_doubles_sketch(K)

    @classmethod
    def from_bytes(cls, content: bytes) -> "Quantiles":
        """Raises what DataSketches raises when the bytes are no sketch of its own."""
        return cls(kll_doubles_sketch.deserialize(content))

    def to_bytes(self) -> bytes:
        return bytes(self.sketch.serialize())

    def update(self, values: Floats) -> None:
        """With finite numbers of shape (n,)."""
        if len(values):
            self.sketch.update(np.require(values, np.float64, ["C", "W"]))
            self.__dict__.pop("_steps", None)

    def merge(self, other: "Quantiles") -> "Quantiles":
        """Of both streams. What is kept is drawn by lot, so another order gives other ranks, within the error."""
        union = Quantiles.from_bytes(self.to_bytes())
        union.sketch.merge(other.sketch)
        return union

    @property
    def count(self) -> int:
        return int(self.sketch.n)

    @property
    def low(self) -> float:
        """The exact minimum, nan when there is none."""
        return float(self.sketch.get_min_value())

    @property
    def high(self) -> float:
        """The exact maximum, nan when there is none."""
        return float(self.sketch.get_max_value())

    @property
    def rank_error(self) -> float:
        """The standard deviation of a rank's error, as a share of the count."""
        return self._error(as_pmf=False)

    @property
    def share_error(self) -> float:
        """The standard deviation of the error of the share between two values."""
        return self._error(as_pmf=True)

    def _error(self, *, as_pmf: bool) -> float:
        if not self.sketch.is_estimation_mode():
            return 0.0
        return float(self.sketch.normalized_rank_error(as_pmf)) / _NORMAL_99

    @property
    def values(self) -> Floats:
        """The values kept, each once, ascending, with the exact minimum and maximum among them."""
        return self._steps[0]

    @property
    def cumulative(self) -> Floats:
        """The share of rows at or below each of ``values``."""
        return self._steps[1]

    def rank(self, at: Floats) -> Floats:
        """The share of rows at or below each of ``at``: the empirical distribution function."""
        below = np.append(0.0, self.cumulative)
        return below[np.searchsorted(self.values, at, side="right")]

    def quantile(self, levels: Sequence[float] | Floats) -> Floats:
        """The smallest value kept whose rank is not below each of ``levels`` (0 to 1)."""
        at = np.searchsorted(self.cumulative, np.asarray(levels) - 1e-12, side="left")
        return self.values[np.minimum(at, len(self.values) - 1)]

    def sample(self, size: int, random: np.random.Generator) -> Floats:
        """Values drawn from the sketch by its inverse distribution function: shape (size,)."""
        return self.quantile(random.random(size))

    @cached_property
    def _steps(self) -> tuple[Floats, Floats]:
        """Values and cumulative shares of the step function that the sketch stands for."""
        if not self.count:
            return np.zeros(0), np.zeros(0)
        kept = np.array([*self.sketch, (self.low, 0), (self.high, 0)], dtype=np.float64)
        values, place = np.unique(kept[:, 0], return_inverse=True)
        cumulative = np.cumsum(np.bincount(place, weights=kept[:, 1]))
        return values, cumulative / cumulative[-1]
