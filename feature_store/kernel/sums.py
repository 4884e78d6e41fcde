"""Sums of ranges as differences of prefix sums, with a bound on what the difference may be off."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from feature_store.columns.double_double import EPSILON, Floats, Pair, prefix_sums, two_sum
from feature_store.columns.events import Ints


@dataclass(frozen=True)
class PrefixSums:
    """``high[i] + low[i]`` is the sum of the first i values."""

    high: Floats
    low: Floats
    largest_low: float

    @classmethod
    def of(cls, values: Floats, lost: Floats | None = None) -> Self:
        high, low = prefix_sums(values, lost)
        return cls(np.append(0.0, high), np.append(0.0, low), float(np.abs(low).max(initial=0.0)))

    def between(self, start: Ints, end: Ints) -> Pair:
        high, lost = two_sum(self.high[end], -self.high[start])
        return two_sum(high, lost + (self.low[end] - self.low[start]))

    def error(self, start: Ints, end: Ints) -> Floats:
        """How far ``between`` may be off: each step of ``low`` was rounded once, and ``high`` is free of error."""
        return (end - start + 2) * np.float64(EPSILON * self.largest_low)
