"""Distinct values of ranges.

A value counts where it stands first in a range, which is where the same value before it lies before the range. So the
distinct values of a range are its events whose ``previous`` is less than its start: the count of blocks.py, with
``previous`` in place of the time an event became known.
"""

import numpy as np
from numpy.typing import NDArray

from feature_store.columns.events import Ints
from feature_store.kernel.blocks import parts


def previous_positions(entity: Ints, values: NDArray[np.uint64]) -> Ints:
    """Where the same value of the same entity stood last; -1 for its first."""
    order = np.lexsort((values, entity))
    same = (values[order][1:] == values[order][:-1]) & (entity[order][1:] == entity[order][:-1])
    result = np.full(len(values), -1)
    result[order[1:][same]] = order[:-1][same]
    return result


def count_distinct(previous: Ints, start: Ints, end: Ints) -> Ints:
    return parts(start, end, previous, start - 1).count()
