"""A hash of 64 bits that is the same on every machine and in every run."""

import numpy as np
from numpy.typing import NDArray
from pandas.util import hash_array

from feature_store.columns.events import Column

SAMPLE = 4096
"""So many of a column's texts tell whether they repeat."""


def stable_hash(column: Column) -> NDArray[np.uint64]:
    """The hash of each value; of a null, anything.

    A column is hashed by its type: the integer 1 and the float 1.0 differ, so a column must come with one type always.
    """
    values = column.values
    if values.dtype.kind == "f":
        values = values.astype(np.float64) + 0.0  # -0.0 becomes 0.0
    elif values.dtype.kind in "iubM":
        values = values.astype(np.int64)
    else:
        values = np.where(column.valid, values, "").astype(object)
        return hash_array(values, categorize=_repeat(values))
    return hash_array(values, categorize=False)


def _repeat(texts: NDArray[np.object_]) -> bool:
    """Whether to look for equal ones, and hash each different one once, is worth it; the hashes are the same."""
    sample = texts[:SAMPLE].tolist()
    return len(set(sample)) * 2 <= len(sample)
