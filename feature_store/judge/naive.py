"""The judge of all engines: feature values by a loop over events, written from the sentences of docs/windows.md."""

import math
import operator
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

from feature_store.definitions import LIFETIME, Derived, Expression, Feature, Filter, Function, Input
from feature_store.definitions.expressions import Clock, Constant, Now, Operation, Operator

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Value = str | int | float | None


@dataclass(frozen=True)
class Happened:
    """One event; times are microseconds since 1970."""

    entity: int
    time: int
    tie: int
    values: Mapping[str, Value]
    known_time: int


def naive_value(
    feature: Feature, history: Sequence[Happened], entity: int, time: int, as_known: bool = False
) -> float | None:
    """The value of ``feature`` for ``entity`` at ``time``; None where it has none."""
    seen = naive_window(feature, history, entity, time, as_known)
    if feature.function is Function.TIME_SINCE_LAST:
        return (time - seen[-1].time) / 1_000_000 if seen else None
    values = [event.values[feature.column] if feature.column else None for event in seen]
    if feature.function in OF_ANY:
        return OF_ANY[feature.function](values, feature.argument)
    return OF_SOME[feature.function](values, feature.argument) if values else None


def naive_window(
    feature: Feature, history: Sequence[Happened], entity: int, time: int, as_known: bool = False
) -> list[Happened]:
    """The events that the value is made from, in order."""
    seen = [
        event
        for event in map(counted, history)
        if event.entity == entity
        and is_covered(event.time, time, feature.window)
        and all(passes(event, one) for one in feature.group.filters)
        and (feature.column is None or event.values[feature.column] is not None)
        and (not as_known or event.known_time <= time)
    ]
    return sorted(seen, key=lambda event: (event.time, event.tie))


def counted(event: Happened) -> Happened:
    """The event with null for numbers that are not finite, or beyond ±1e100."""
    values = {
        name: None if isinstance(value, float) and not abs(value) <= 1e100 else value
        for name, value in event.values.items()
    }
    return replace(event, values=values)


def is_covered(event_time: int, time: int, window: timedelta) -> bool:
    """floor(t - W, H) <= event_time < t"""
    if window == LIFETIME:
        return event_time < time
    if window < timedelta(hours=12):
        hop = timedelta(minutes=5)
    elif window < timedelta(days=12):
        hop = timedelta(hours=1)
    else:
        hop = timedelta(days=1)
    tail = EPOCH + timedelta(microseconds=time) - window
    tail -= (tail - EPOCH) % hop
    return tail <= EPOCH + timedelta(microseconds=event_time) and event_time < time


def passes(event: Happened, one: Filter) -> bool:
    value, operands = event.values[one.column], one.operands
    if one.comparison in ("is null", "is not null"):
        return (value is None) == (one.comparison == "is null")
    if value is None:
        return False
    if one.comparison == "in":
        return value in operands
    symbols = {"==": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}
    return bool(getattr(operator, symbols[one.comparison])(value, operands[0]))


def quantile(values: list[Any], share: float) -> float:
    """The smallest value that at least ``share`` of the values does not exceed."""
    wanted = Fraction(str(share))
    found: float = next(x for x in sorted(values) if Fraction(sum(y <= x for y in values), len(values)) >= wanted)
    return found


# Of the values of a window, the latest last, and the argument of the feature.
OF_ANY: Mapping[Function, Callable[[list[Any], Any], float]] = {
    Function.COUNT: lambda values, _: len(values),
    Function.COUNT_CATEGORY: lambda values, category: values.count(category),
    Function.COUNT_DISTINCT: lambda values, _: len(set(values)),
    Function.SUM: lambda values, _: math.fsum(values),
}
OF_SOME: Mapping[Function, Callable[[list[Any], Any], float | None]] = {
    Function.MEAN: lambda values, _: math.fsum(values) / len(values),
    Function.MIN: lambda values, _: min(values),
    Function.MAX: lambda values, _: max(values),
    Function.STD: lambda values, _: statistics.stdev(values) if len(values) > 1 else None,
    Function.FIRST: lambda values, _: values[0],
    Function.LAST: lambda values, _: values[-1],
    Function.LAST_K: lambda values, k: values[-k] if k <= len(values) else None,
    Function.QUANTILE: quantile,
}


def naive_expression(
    of: Expression | Derived, values: Mapping[str, float | None], inputs: Mapping[str, float | None], time: int
) -> float | None:
    """An expression over ``values`` of features by name, at ``time``; None where an operand is, or none is finite."""
    match of:
        case Derived(expression=expression):
            return naive_expression(expression, values, inputs, time)
        case Feature():
            return values[of.name]
        case Input(name=name):
            return inputs[name]
        case Constant(value=value):
            return float(value)
        case Now(clock=clock):
            moment = EPOCH + timedelta(microseconds=time)
            midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
            since = (moment - midnight) / timedelta(hours=1)
            return since if clock is Clock.HOUR_OF_DAY else float(moment.weekday())
        case Operation(operator=symbol):
            left, right = (naive_expression(side, values, inputs, time) for side in (of.left, of.right))
            return _operate(symbol, left, right)
    raise TypeError(f"no way to judge {of!r}")


def _operate(symbol: Operator, left: float | None, right: float | None) -> float | None:
    if symbol is Operator.OR_ELSE:
        return right if left is None else left
    if left is None or right is None or (symbol is Operator.DIVIDE and right == 0):
        return None
    names = {"+": "add", "-": "sub", "*": "mul", "/": "truediv", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}
    try:
        result = float(getattr(operator, names[symbol.value])(left, right))
    except OverflowError:
        return None
    return result if math.isfinite(result) else None
