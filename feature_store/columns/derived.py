"""Derived features: the one evaluation of expressions, used by every engine."""

import operator
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_store.columns.events import Features, Ints
from feature_store.definitions import Derived, Expression, Feature, FeatureService, Input
from feature_store.definitions.expressions import Clock, Constant, Now, Operation, Operator
from feature_store.definitions.windows import micros

DAY = micros(timedelta(days=1))
HOUR = micros(timedelta(hours=1))
MONDAY = 3
"""1970-01-01 was a Thursday."""


def _comparison(compare: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda left, right: np.where(np.isnan(left) | np.isnan(right), np.nan, compare(left, right))


OPERATORS: Mapping[Operator, Callable[[Any, Any], Any]] = {
    Operator.ADD: operator.add,
    Operator.SUBTRACT: operator.sub,
    Operator.MULTIPLY: operator.mul,
    Operator.DIVIDE: operator.truediv,
    Operator.LESS: _comparison(np.less),
    Operator.LESS_OR_EQUAL: _comparison(np.less_equal),
    Operator.GREATER: _comparison(np.greater),
    Operator.GREATER_OR_EQUAL: _comparison(np.greater_equal),
    Operator.OR_ELSE: lambda left, right: np.where(np.isnan(left), right, left),
}


def service_features(service: FeatureService, values: Mapping[str, NDArray[np.float64]], times: Ints) -> Features:
    """The features of ``service``, in its order; ``values`` has its groups' features and its inputs by name."""
    return {
        one.name: evaluate(one.expression, values, times) if isinstance(one, Derived) else values[one.name]
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
            with np.errstate(all="ignore"):
                result = OPERATORS[expression.operator](left, right)
            return np.where(np.isfinite(result), result, np.nan)
    raise TypeError(f"no way to evaluate {expression!r}")
