"""Features made of features: small trees, written with operators.

A null anywhere makes the result null, and so does a division by zero. A comparison gives 1 or 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from feature_store.definitions.errors import DefinitionError, check_name


class Operator(StrEnum):
    ADD = "+"
    SUBTRACT = "-"
    MULTIPLY = "*"
    DIVIDE = "/"
    LESS = "<"
    LESS_OR_EQUAL = "<="
    GREATER = ">"
    GREATER_OR_EQUAL = ">="
    OR_ELSE = "or else"


class Clock(StrEnum):
    """What the time of the query says, in UTC: hours since midnight with fraction, days since Monday."""

    HOUR_OF_DAY = "hour of day"
    DAY_OF_WEEK = "day of week"


class Expression:
    """Anything that has a value for each row."""

    def __add__(self, other: Operand) -> Operation:
        return Operation(Operator.ADD, self, _expression(other))

    def __radd__(self, other: float) -> Operation:
        return Operation(Operator.ADD, _expression(other), self)

    def __sub__(self, other: Operand) -> Operation:
        return Operation(Operator.SUBTRACT, self, _expression(other))

    def __rsub__(self, other: float) -> Operation:
        return Operation(Operator.SUBTRACT, _expression(other), self)

    def __mul__(self, other: Operand) -> Operation:
        return Operation(Operator.MULTIPLY, self, _expression(other))

    def __rmul__(self, other: float) -> Operation:
        return Operation(Operator.MULTIPLY, _expression(other), self)

    def __truediv__(self, other: Operand) -> Operation:
        return Operation(Operator.DIVIDE, self, _expression(other))

    def __rtruediv__(self, other: float) -> Operation:
        return Operation(Operator.DIVIDE, _expression(other), self)

    def __lt__(self, other: Operand) -> Operation:
        return Operation(Operator.LESS, self, _expression(other))

    def __le__(self, other: Operand) -> Operation:
        return Operation(Operator.LESS_OR_EQUAL, self, _expression(other))

    def __gt__(self, other: Operand) -> Operation:
        return Operation(Operator.GREATER, self, _expression(other))

    def __ge__(self, other: Operand) -> Operation:
        return Operation(Operator.GREATER_OR_EQUAL, self, _expression(other))

    def or_else(self, other: Operand) -> Operation:
        """This value, and ``other`` where it is null."""
        return Operation(Operator.OR_ELSE, self, _expression(other))

    @property
    def meaning(self) -> object:
        """What the fingerprint is made from."""
        raise NotImplementedError

    def leaves(self) -> Iterator[Expression]:
        """What the tree reads, from left to right, with repeats."""
        yield self


Operand = Expression | float


@dataclass(frozen=True)
class Constant(Expression):
    value: float

    def __post_init__(self) -> None:
        if isinstance(self.value, bool) or not isinstance(self.value, int | float) or not math.isfinite(self.value):
            raise DefinitionError(f"Constant.value: {self.value!r} is no finite number")

    @property
    def meaning(self) -> object:
        return float(self.value)


@dataclass(frozen=True)
class Input(Expression):
    """A number that the request brings, such as the amount to be paid; offline, a column of the spine."""

    name: str

    def __post_init__(self) -> None:
        check_name("Input.name", self.name)

    @property
    def meaning(self) -> object:
        return {"input": self.name}


@dataclass(frozen=True)
class Now(Expression):
    """The query's own time, as the clock or the calendar shows it."""

    clock: Clock

    @property
    def meaning(self) -> object:
        return {"now": self.clock.value}


@dataclass(frozen=True)
class Operation(Expression):
    operator: Operator
    left: Expression
    right: Expression

    @property
    def meaning(self) -> object:
        return [self.operator.value, self.left.meaning, self.right.meaning]

    def leaves(self) -> Iterator[Expression]:
        yield from self.left.leaves()
        yield from self.right.leaves()


HOUR_OF_DAY = Now(Clock.HOUR_OF_DAY)
DAY_OF_WEEK = Now(Clock.DAY_OF_WEEK)


@dataclass(frozen=True)
class Derived:
    """An expression with a name, so that a service can have it."""

    name: str
    expression: Expression

    def __post_init__(self) -> None:
        check_name("Derived.name", self.name)
        if not isinstance(self.expression, Expression):
            raise DefinitionError(f"Derived.expression of {self.name}: {self.expression!r} is no expression")


def zscore(value: Expression, mean: Expression, std: Expression) -> Operation:
    """How many standard deviations ``value`` lies above the mean."""
    return (value - mean) / std


def _expression(operand: Operand) -> Expression:
    return operand if isinstance(operand, Expression) else Constant(operand)
