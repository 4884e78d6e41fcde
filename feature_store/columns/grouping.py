"""Reductions of rows by group, over all groups at once."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from feature_store.columns.double_double import Floats, Pair, two_sum
from feature_store.columns.events import Ints

PASSES = 4


@dataclass(frozen=True)
class Groups:
    """Rows ``order``, sorted by ``keys``; group i has key ``keys[i]`` and begins at ``starts[i]`` of that order."""

    order: Ints
    starts: Ints
    keys: Ints

    @classmethod
    def of(cls, key: Ints) -> Self:
        order = np.argsort(key, kind="stable")
        ordered = key[order]
        changes = np.ones(len(key), dtype=np.bool_)
        changes[1:] = ordered[1:] != ordered[:-1]
        starts = np.nonzero(changes)[0]
        return cls(order, starts, ordered[starts])

    @property
    def sizes(self) -> Ints:
        return np.diff(self.starts, append=len(self.order))

    def reduce(self, function: np.ufunc, values: NDArray[Any]) -> NDArray[Any]:
        """``values`` are in sorted order already; a group is never empty."""
        if not len(self.starts):
            return values[:0]
        reduced: NDArray[Any] = function.reduceat(values, self.starts, axis=0)
        return reduced

    def rank(self) -> Ints:
        """Each sorted row's position in its group."""
        return np.arange(len(self.order)) - np.repeat(self.starts, self.sizes)


def group_sums(groups: Groups, high: Floats, low: Floats) -> Pair:
    """The sum of ``high + low`` of each group, in the same precision whatever the order of the rows.

    Each pass cuts from all numbers of a group the leading bits down to a common place, so that these add up without
    any rounding, and leaves the rest to the next pass. Source: Rump, Ogita, Oishi, "Accurate floating-point summation,
    part I: faithful rounding", 2008 (ExtractVector). ``high`` has shape (rows, sums), sorted by group.
    """
    total, lost = np.zeros((len(groups.starts), high.shape[1])), groups.reduce(np.add, low)
    room = 2.0 ** np.ceil(np.log2(groups.sizes + 2.0))[:, None]
    for _ in range(PASSES):
        largest = groups.reduce(np.maximum, np.abs(high))
        place = room * 2.0 ** np.frexp(largest)[1]
        each_place = np.repeat(place, groups.sizes, axis=0)
        cut = (each_place + high) - each_place
        high = high - cut
        total, rounded = two_sum(total, groups.reduce(np.add, cut))
        lost = lost + rounded
    return two_sum(total, lost)


def quantile_rank(count: Ints, share: float) -> Ints:
    """Which of ``count`` ascending values, from 0, is the smallest that a share of them does not exceed.

    Shares have four decimals, so what is a whole number but for float's sake is rounded to it.
    """
    return np.maximum(np.ceil(np.round(count * share, 6)).astype(np.int64) - 1, 0)


def group_quantiles(key: Ints, values: Floats, share: float, number: int) -> Floats:
    """The quantile of the values of each key from 0 to ``number`` - 1; NaN for a key without values."""
    ordered = values[np.lexsort((values, key))]
    counts = np.bincount(key, minlength=number)
    some = counts > 0
    result = np.full(number, np.nan)
    result[some] = ordered[(np.cumsum(counts) - counts + quantile_rank(counts, share))[some]]
    return result
