"""Compiling the loops of a merge, and rows as the columns that compiled loops read.

A request is about few rows: dozens of numpy calls a feature would take far longer than what they compute. The compiled
code is kept beside its source, so a process compiles only what has changed. Loops take columns of one memory layout
always, since each new one would be compiled anew.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, ParamSpec, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

from feature_store import double_double
from feature_store.double_double import Floats
from feature_store.events import Ints, Mask
from feature_store.tiles.table import Table

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    return cast(Callable[P, R], numba.njit(cache=True, error_model="numpy")(function))


two_sum = compiled(double_double.two_sum)
square = compiled(double_double.square)
normal = compiled(double_double.normal)


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
        return cls(events.owner, *(fresh(events.rows[name]) for name in cls._fields[1:]))


def fresh(values: NDArray[Any]) -> NDArray[Any]:
    """A copy in the one memory layout."""
    return np.array(values, order="C")
