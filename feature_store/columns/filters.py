"""Which events pass the filters of a group."""

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_store.columns.events import EventColumnsError, Events, Mask
from feature_store.definitions import Filter
from feature_store.definitions.filters import Comparison, Scalar

OPERATORS: Mapping[Comparison, Callable[[Any, Any], Any]] = {
    Comparison.EQUAL: operator.eq,
    Comparison.NOT_EQUAL: operator.ne,
    Comparison.LESS: operator.lt,
    Comparison.LESS_OR_EQUAL: operator.le,
    Comparison.GREATER: operator.gt,
    Comparison.GREATER_OR_EQUAL: operator.ge,
}

EXACT = 1 << 53
"""Below it every integer is a float64."""


def passing(filters: Sequence[Filter], events: Events) -> Mask:
    """True for the events that pass all of ``filters``."""
    passed = np.ones(len(events), dtype=np.bool_)
    for one in filters:
        passed &= _passing(one, events)
    return passed


def _passing(one: Filter, events: Events) -> Mask:
    column = events.column(one.column)
    if one.comparison is Comparison.IS_NULL:
        return ~column.valid
    if one.comparison is Comparison.IS_NOT_NULL:
        return column.valid
    if len(events) and isinstance(one.operands[0], str) != (column.values.dtype.kind in "OUT"):
        raise EventColumnsError(
            f"filter on {one.column}: {column.values.dtype} is not compared with {one.operands[0]!r}"
        )
    values = _comparable(column.values, one.operands)
    if one.comparison is Comparison.IN:
        compared = np.any([values == operand for operand in one.operands], axis=0)
    else:
        compared = OPERATORS[one.comparison](values, one.operands[0])
    return column.valid & np.asarray(compared, dtype=np.bool_)


def _comparable(values: NDArray[Any], operands: Sequence[Scalar]) -> NDArray[Any]:
    """``values`` as numpy compares them without rounding; beyond float64's integers, as Python does."""
    if any(not isinstance(operand, str) and abs(operand) >= EXACT for operand in operands):
        return values.astype(object)
    return values.astype(np.float64) if values.dtype.kind == "f" else values
