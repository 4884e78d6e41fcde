"""How many distinct values: the smallest hashes tell (k minimum values).

Source: Bar-Yossef et al., "Counting distinct elements in a data stream", 2002; the unbiased estimate and merging are of
Beyer et al., "On synopses for distinct-value estimation under multiset operations", 2007. Below ``SIZE`` distinct
values the count is exact, above it the standard error is 3.1 %. The same values give the same sketch in any order.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

SIZE = 1024
SLICE = 16_384
_RANGE = 2.0**64

Hashes = NDArray[np.uint64]


@dataclass(frozen=True)
class Distinct:
    """``smallest`` are the ``SIZE`` smallest hashes, ascending."""

    smallest: Hashes = field(default_factory=lambda: np.zeros(0, dtype=np.uint64))

    def add(self, hashes: Hashes) -> "Distinct":
        smallest = self.smallest
        for start in range(0, len(hashes), SLICE):
            some = hashes[start : start + SLICE]
            if len(smallest) == SIZE:
                some = some[some < smallest[-1]]
            if len(some):
                smallest = np.unique(np.concatenate((smallest, some)))[:SIZE]
        return Distinct(smallest)

    def merge(self, other: "Distinct") -> "Distinct":
        return Distinct(np.union1d(self.smallest, other.smallest)[:SIZE])

    @property
    def is_exact(self) -> bool:
        return len(self.smallest) < SIZE

    @property
    def estimate(self) -> float:
        if self.is_exact:
            return float(len(self.smallest))
        return (SIZE - 1) * _RANGE / (float(self.smallest[-1]) + 1.0)


def hash_numbers(values: NDArray[np.float64]) -> Hashes:
    """A hash of 64 bits of each number; 0.0 and -0.0 are one. Steele et al., "Fast splittable generators", 2014."""
    bits = (values + 0.0).view(np.uint64)
    bits = bits + np.uint64(0x9E3779B97F4A7C15)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(bits ^ (bits >> np.uint64(31)), dtype=np.uint64)
