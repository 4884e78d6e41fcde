"""Derived features as SQL over one row of features, inputs and the question's time ``asked_at``."""

from feature_store.definitions import Derived, Expression, Feature, Input
from feature_store.definitions.expressions import Clock, Constant, Now, Operation, Operator
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
    return expression(feature.expression if isinstance(feature, Derived) else feature)


def expression(of: Expression) -> str:
    match of:
        case Feature() | Input():
            return name(of.name)
        case Constant():
            return literal(float(of.value))
        case Now():
            return CLOCKS[of.clock]
        case Operation():
            return _operation(of.operator, expression(of.left), expression(of.right))
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
