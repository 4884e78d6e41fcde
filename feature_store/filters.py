"""Which events pass the filters of a group."""

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from feature_store.definitions import Filter
from feature_store.definitions.filters import Comparison
from feature_store.events import EventColumnsError, Events, Mask

OPERATORS: Mapping[Comparison, Callable[[Any, Any], Any]] = {
    Comparison.EQUAL: operator.eq,
    Comparison.NOT_EQUAL: operator.ne,
    Comparison.LESS: operator.lt,
    Comparison.LESS_OR_EQUAL: operator.le,
    Comparison.GREATER: operator.gt,
    Comparison.GREATER_OR_EQUAL: operator.ge,
}


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
    if one.comparison is Comparison.IN:
        compared = np.any([column.values == operand for operand in one.operands], axis=0)
    else:
        compared = OPERATORS[one.comparison](column.values, one.operands[0])
    return column.valid & np.asarray(compared, dtype=np.bool_)
