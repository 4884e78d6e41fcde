"""The k-th smallest value of ranges, by a wavelet matrix.

Source: Claude, Navarro, Ordóñez, "The wavelet matrix", 2015. Values are replaced by their ranks and sorted bit by bit,
the highest first and stably; how many zeros a range has at each bit says whether the value wanted has a zero there,
and where the range lies at the next bit. Only one bit's level is held at a time.
"""

import numpy as np

from feature_store.columns.double_double import Floats
from feature_store.columns.events import Ints
from feature_store.columns.grouping import quantile_rank


def quantiles(values: Floats, start: Ints, end: Ints, share: float) -> Floats:
    """The quantile of each range; NaN over an empty one."""
    some = end > start
    result = np.full(len(start), np.nan)
    if some.any():
        distinct, ranks = np.unique(values, return_inverse=True)
        wanted = quantile_rank(end - start, share)[some]
        result[some] = distinct[_smallest(ranks, len(distinct), start[some], end[some], wanted)]
    return result


def _smallest(ranks: Ints, distinct: int, start: Ints, end: Ints, wanted: Ints) -> Ints:
    found = np.zeros(len(start), dtype=np.int64)
    for bit in reversed(range((distinct - 1).bit_length())):
        ones = (ranks >> bit) & 1 == 1
        zeros_before = np.append(0, np.cumsum(~ones))
        first, last = zeros_before[start], zeros_before[end]
        is_one = wanted >= last - first
        found |= is_one.astype(np.int64) << bit
        wanted = np.where(is_one, wanted - (last - first), wanted)
        start = np.where(is_one, zeros_before[-1] + start - first, first)
        end = np.where(is_one, zeros_before[-1] + end - last, last)
        ranks = np.concatenate([ranks[~ones], ranks[ones]])
    return found
