"""Ranges written out event by event, for what has no parts: quantiles and distinct values as known.

Only ranges that hold something not known yet come here, a bounded number of events at a time; the work is their total
length, so these two functions grow with the window where much of it is late.
"""

from collections.abc import Iterator

import numpy as np

from feature_store.columns.events import Ints

MOST_EVENTS = 4_000_000


def expand(start: Ints, end: Ints) -> Iterator[tuple[Ints, Ints]]:
    """(range, position) of every event, ranges in order, in pieces of whole ranges."""
    lengths = end - start
    piece = np.cumsum(lengths) // MOST_EVENTS
    for one in np.unique(piece):
        ranges = np.nonzero(piece == one)[0]
        size = lengths[ranges]
        owner = np.repeat(ranges, size)
        within = np.arange(len(owner)) - np.repeat(np.cumsum(size) - size, size)
        yield owner, start[owner] + within
