"""What counts of one entity, or of one event, when its outcomes hang together.

A customer who is asked about every day has nearly the same answer and nearly the same outcome each time: ninety losses
of one absence are one. So what is kept of an entity lies a horizon apart, and no two windows of it overlap.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from monitoring.performance.losses import Integers

UNIT, AT = "unit", "asked_us"
EVER = 1 << 62
"""In microseconds more than any time is: of each unit the first alone."""
NEVER = np.iinfo(np.int64).min


def apart(batches: Iterable[pa.RecordBatch], micros: int) -> Iterator[pa.RecordBatch]:
    """Of ``batches`` the first row of each ``unit``, and each next one that is ``micros`` or more after the one before.

    They are in the order of ``unit`` (a text) and of ``asked_us`` (microseconds since 1970). Memory is that of a batch.
    """
    unit, free_from = None, NEVER
    for batch in batches:
        if not len(batch):
            continue
        units, at = batch[UNIT], np.asarray(batch[AT], dtype=np.int64)
        begins = free_from if units[0].as_py() == unit else NEVER
        is_kept, free_from = _kept(_numbers(units), at, begins, micros)
        unit = units[-1].as_py()
        yield batch.filter(pa.array(is_kept))


def _numbers(units: pa.Array) -> Integers:
    """Units by numbers from 0, in their order."""
    is_other = np.asarray(pc.not_equal(units[1:], units[:-1]), dtype=np.int64)
    return np.concatenate([[0], np.cumsum(is_other)])


def _kept(units: Integers, at: Integers, first_free_from: int, micros: int) -> tuple[npt.NDArray[np.bool_], int]:
    """Which rows are kept, and from when on the last unit counts again. Each turn takes the next row of every unit."""
    free_from = np.full(units[-1] + 1, NEVER, dtype=np.int64)
    free_from[0] = first_free_from
    is_kept = np.zeros(len(at), dtype=np.bool_)
    rows = np.arange(len(at))
    while len(rows := rows[at[rows] >= free_from[units[rows]]]):
        firsts = rows[np.flatnonzero(np.diff(units[rows], prepend=-1))]
        is_kept[firsts] = True
        free_from[units[firsts]] = at[firsts] + micros
    return is_kept, int(free_from[-1])
