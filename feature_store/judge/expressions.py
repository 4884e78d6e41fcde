"""Derived features as SQL over one row of features, inputs and the question's time ``asked_at``."""

from collections.abc import Mapping
from itertools import product

from feature_store.definitions import Derived, Expression, Feature, Input
from feature_store.definitions.expressions import Clock, Constant, Now, Operation, Operator
from feature_store.judge.aggregates import ESTIMATED
from feature_store.judge.estimates import high_name, low_name
from feature_store.judge.spelling import literal, name

MOMENT = "make_timestamp(asked_at)"
CLOCKS = {
    Clock.HOUR_OF_DAY: f"(asked_at - epoch_us(date_trunc('day', {MOMENT}))) / 3600000000.0::DOUBLE",
    Clock.DAY_OF_WEEK: f"CAST(isodow({MOMENT}) - 1 AS DOUBLE)",
}
COMPARISONS = frozenset((Operator.LESS, Operator.LESS_OR_EQUAL, Operator.GREATER, Operator.GREATER_OR_EQUAL))


class UnjudgedExpressionError(TypeError):
    """An expression that has no SQL yet: whoever adds one to the definitions adds it here."""


def value(feature: Feature | Derived) -> str:
    """The value of a service's feature; null where an operand is, or where the result is no finite number."""
    return expression(_expression(feature), {})


def bounds(feature: Feature | Derived) -> tuple[str, str]:
    """The least and the largest value, over what each estimate that it is made of may be.

    Every operator grows or falls with each operand, so these lie where all estimates are at one of their bounds (but
    for one that is used against itself).
    """
    of = _expression(feature)
    estimates = {leaf.name for leaf in of.leaves() if isinstance(leaf, Feature) and leaf.function in ESTIMATED}
    corners = [
        expression(of, dict(zip(sorted(estimates), corner, strict=True)))
        for corner in product(*((low_name(one), high_name(one)) for one in sorted(estimates)))
    ]
    return f"least({', '.join(corners)})", f"greatest({', '.join(corners)})"


def _expression(feature: Feature | Derived) -> Expression:
    return feature.expression if isinstance(feature, Derived) else feature


def expression(of: Expression, columns: Mapping[str, str]) -> str:
    """``columns`` says which column has a feature's value, where it is not the one called so."""
    match of:
        case Feature() | Input():
            return name(columns.get(of.name, of.name))
        case Constant():
            return literal(float(of.value))
        case Now():
            return CLOCKS[of.clock]
        case Operation():
            return _operation(of.operator, expression(of.left, columns), expression(of.right, columns))
    raise UnjudgedExpressionError(f"no SQL for {of!r}")


def _operation(operator: Operator, left: str, right: str) -> str:
    if operator is Operator.OR_ELSE:
        return f"coalesce({left}, {right})"
    if operator in COMPARISONS:
        return f"CAST(({left} {operator.value} {right}) AS DOUBLE)"
    if operator is Operator.DIVIDE:
        return f"judge_finite({left} / nullif({right}, 0))"
    return f"judge_finite({left} {operator.value} {right})"


MACROS = "CREATE MACRO judge_finite(x) AS CASE WHEN isfinite(x) THEN x END"
