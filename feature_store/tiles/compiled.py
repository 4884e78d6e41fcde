"""Compiling the loops of a merge, and rows as the columns that compiled loops read.

A request is about few rows: dozens of numpy calls a feature would take far longer than what they compute. The compiled
code is kept beside its source until one of the sources changes. Loops take columns of one memory layout always, since
each new one would be compiled anew.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, ParamSpec, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

from feature_store.columns import double_double
from feature_store.columns.double_double import Floats
from feature_store.columns.events import Ints, Mask
from feature_store.definitions import windows
from feature_store.tiles.table import Table

P = ParamSpec("P")
R = TypeVar("R")


FILES = (*sorted(Path(__file__).parent.glob("*.py")), Path(double_double.__file__), Path(windows.__file__))
SOURCES = tuple((file.name, file.stat().st_mtime_ns, file.stat().st_size) for file in FILES)
"""What all loops are made of."""


def compiled(function: Callable[P, R], sources: object = SOURCES) -> Callable[P, R]:
    """``function`` as machine code, which is taken from its cache when it was made of the same ``sources``."""
    dispatcher = numba.njit(cache=True, error_model="numpy")(function)
    # numba itself compares the file of the loop alone: it would keep old code of what a loop calls in other files.
    dispatcher._cache._cache_file._source_stamp = sources
    return cast(Callable[P, R], dispatcher)


two_sum = compiled(double_double.two_sum)
square = compiled(double_double.square)
normal = compiled(double_double.normal)
covered_since = compiled(windows.covered_since)


class EventColumns(NamedTuple):
    """Events that no tile holds: (rows,), and of ``present``, ``number`` and ``hash`` (rows, readings)."""

    owner: Ints
    time: Ints
    tie: NDArray[np.uint64]
    present: Mask
    number: Floats
    hash: NDArray[np.uint64]

    @classmethod
    def of(cls, events: Table) -> "EventColumns":
        return cls(events.owner, **events.columns)
