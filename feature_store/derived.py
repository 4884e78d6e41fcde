"""Derived features: the one evaluation of expressions, used by every engine."""

import operator
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_store.definitions import Derived, Expression, Feature, FeatureService, Input
from feature_store.definitions.expressions import Clock, Constant, Now, Operation, Operator
from feature_store.events import Features, Ints
from feature_store.windows import micros

DAY = micros(timedelta(days=1))
HOUR = micros(timedelta(hours=1))
MONDAY = 3
"""1970-01-01 was a Thursday."""

OPERATORS: Mapping[Operator, Callable[[Any, Any], Any]] = {
    Operator.ADD: operator.add,
    Operator.SUBTRACT: operator.sub,
    Operator.MULTIPLY: operator.mul,
    Operator.DIVIDE: operator.truediv,
    Operator.LESS: operator.lt,
    Operator.LESS_OR_EQUAL: operator.le,
    Operator.GREATER: operator.gt,
    Operator.GREATER_OR_EQUAL: operator.ge,
}


def service_features(service: FeatureService, values: Mapping[str, NDArray[np.float64]], times: Ints) -> Features:
    """The features of ``service``, in its order; ``values`` has its groups' features and its inputs by name."""
    return {
        one.name: evaluate(one.expression if isinstance(one, Derived) else one, values, times)
        for one in service.features
    }


def evaluate(expression: Expression, values: Mapping[str, NDArray[np.float64]], times: Ints) -> NDArray[np.float64]:
    """One value a row; NaN where an operand is, or where the result is no finite number."""
    match expression:
        case Feature() | Input():
            return values[expression.name]
        case Constant():
            return np.full(len(times), float(expression.value))
        case Now(clock=Clock.HOUR_OF_DAY):
            return (times % DAY) / HOUR
        case Now(clock=Clock.DAY_OF_WEEK):
            return ((times // DAY + MONDAY) % 7).astype(np.float64)
        case Operation():
            left = evaluate(expression.left, values, times)
            right = evaluate(expression.right, values, times)
            return _apply(expression.operator, left, right)
    raise TypeError(f"no way to evaluate {expression!r}")


def _apply(operation: Operator, left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    if operation is Operator.OR_ELSE:
        return np.where(np.isnan(left), right, left)
    with np.errstate(all="ignore"):
        result = np.asarray(OPERATORS[operation](left, right), dtype=np.float64)
    return np.where(np.isfinite(result) & ~np.isnan(left) & ~np.isnan(right), result, np.nan)
