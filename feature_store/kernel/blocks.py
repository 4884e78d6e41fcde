"""Aggregates over those events of a range that a time limit lets in, in O(log² n) a range whatever the data.

The positions are cut into blocks of 1, 2, 4, ... events, and inside a block the events are sorted by the time they
became known. A range is made of at most two blocks of each size; in each, the events known in time are a prefix, found
by binary search, and running sums, minima and maxima along the block answer for the prefix: a merge-sort tree, of which
only the blocks in use are made.

Nothing outside a range enters its result, so nothing outside can cancel in it: without a limit the same blocks give the
sums that prefix sums cannot.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from feature_store.columns.double_double import Floats, Pair, add, prefix_sums
from feature_store.columns.events import Ints
from feature_store.kernel.timeline import first_at_least


@dataclass(frozen=True)
class Prefixes:
    """Parts of some ranges that lie in blocks of one size.

    ``order`` (blocks, size) lists positions by the time they became known; the part of range ``ranges[i]`` ends at
    ``last[i]`` of the flattened order and has ``counts[i]`` events. A range is in it at most once.
    """

    order: Ints
    ranges: Ints
    last: Ints
    counts: Ints


@dataclass(frozen=True)
class Parts:
    """The ranges taken apart."""

    number: int
    prefixes: tuple[Prefixes, ...]

    def count(self) -> Ints:
        result = np.zeros(self.number, dtype=np.int64)
        for part in self.prefixes:
            result[part.ranges] += part.counts
        return result

    def total(self, values: Floats, lost: Floats | None = None) -> Pair:
        result = np.zeros(self.number), np.zeros(self.number)
        for part in self.prefixes:
            high, low = prefix_sums(values[part.order], None if lost is None else lost[part.order])
            so_far = result[0][part.ranges], result[1][part.ranges]
            more = add(so_far, (high.ravel()[part.last], low.ravel()[part.last]))
            result[0][part.ranges], result[1][part.ranges] = more
        return result

    def extreme(self, values: Floats, better: np.ufunc) -> Floats:
        """``better`` is np.fmin or np.fmax; NaN where nothing is let in."""
        result = np.full(self.number, np.nan)
        for part in self.prefixes:
            found = better.accumulate(values[part.order], axis=1).ravel()[part.last]
            result[part.ranges] = better(result[part.ranges], found)
        return result


def parts(start: Ints, end: Ints, known: Ints | None = None, limit: Ints | None = None) -> Parts:
    """The ranges ``start`` to ``end``; given ``known``, one time a position, only what has ``known <= limit``."""
    return Parts(len(start), tuple(_parts(start, end, known, limit)))


def _parts(start: Ints, end: Ints, known: Ints | None, limit: Ints | None) -> Iterator[Prefixes]:
    for size, ranges, blocks in _cover(start, end):
        needed, row = np.unique(blocks, return_inverse=True)
        order = needed[:, None] * size + np.arange(size)
        first, counts = row * size, np.full(len(ranges), size)
        if known is not None and limit is not None:
            order = np.take_along_axis(order, np.argsort(known[order], axis=1, kind="stable"), axis=1)
            counts = first_at_least(known[order.ravel()], limit[ranges] + 1, first, first + size) - first
        some = counts > 0
        yield Prefixes(order, ranges[some], (first + counts - 1)[some], counts[some])


def _cover(start: Ints, end: Ints) -> Iterator[tuple[int, Ints, Ints]]:
    """Size by size: which ranges need a block of that size, and which block."""
    ranges = np.nonzero(start < end)[0]
    low, high, size = start[ranges], end[ranges], 1
    while len(ranges):
        odd = (low & 1).astype(np.bool_)
        if odd.any():
            yield size, ranges[odd], low[odd]
        low = low + odd
        odd = (low < high) & (high & 1).astype(np.bool_)
        if odd.any():
            yield size, ranges[odd], high[odd] - 1
        high = high - odd
        left = low < high
        ranges, low, high, size = ranges[left], low[left] >> 1, high[left] >> 1, size * 2
