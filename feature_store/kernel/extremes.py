"""Minimum and maximum of ranges by a sparse table.

Source: Bender, Farach-Colton, "The LCA problem revisited", 2000, section 3. A range of length 2 ** k to 2 ** (k + 1) is
covered by two, perhaps overlapping, of length 2 ** k. Only one row of the table is held at a time.
"""

import numpy as np
from numpy.typing import NDArray

from feature_store.columns.events import Ints


def extreme(values: NDArray[np.float64], start: Ints, end: Ints, better: np.ufunc) -> NDArray[np.float64]:
    """``better`` (np.minimum or np.maximum) over each range; NaN over an empty one."""
    result = np.full(len(start), np.nan)
    level = np.frexp(end - start)[1].astype(np.uint8)  # 0: empty, k + 1: two ranges of length 2 ** k cover it
    by_level = np.argsort(level, kind="stable")
    limits = np.searchsorted(level[by_level], np.arange(1, 65))
    row = values
    for k in range(int(level.max(initial=0))):
        chosen = by_level[limits[k] : limits[k + 1]]
        result[chosen] = better(row[start[chosen]], row[end[chosen] - (1 << k)])
        row = better(row[: -(1 << k)], row[1 << k :])
    return result
