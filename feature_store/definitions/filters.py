"""Which events of a source count: comparisons of a column with constants, as data."""

import sys
from dataclasses import dataclass
from enum import StrEnum

from feature_store.definitions.errors import DefinitionError, check_column

Scalar = str | int | float | bool


class Comparison(StrEnum):
    EQUAL = "=="
    NOT_EQUAL = "!="
    LESS = "<"
    LESS_OR_EQUAL = "<="
    GREATER = ">"
    GREATER_OR_EQUAL = ">="
    IN = "in"
    IS_NULL = "is null"
    IS_NOT_NULL = "is not null"


OPERANDS = {Comparison.IS_NULL: range(1), Comparison.IS_NOT_NULL: range(1), Comparison.IN: range(1, 1001)}
ORDERED = (Comparison.LESS, Comparison.LESS_OR_EQUAL, Comparison.GREATER, Comparison.GREATER_OR_EQUAL)


@dataclass(frozen=True)
class Filter:
    """An event counts whose ``column`` compares so with ``operands``.

    As in SQL, a null compares with nothing: only ``is null`` lets it pass.
    """

    column: str
    comparison: Comparison
    operands: tuple[Scalar, ...] = ()

    def __post_init__(self) -> None:
        check_column("Filter.column", self.column)
        where = f"Filter.operands of {self.column}"
        if len(self.operands) not in OPERANDS.get(self.comparison, range(1, 2)):
            raise DefinitionError(f"{where}: {len(self.operands)} values do not go with {self.comparison.value!r}")
        kinds = {_kind(where, operand) for operand in self.operands}
        if len(kinds) > 1:
            raise DefinitionError(f"{where}: {', '.join(sorted(kinds))} in one comparison")
        if self.comparison in ORDERED and kinds == {"boolean"}:
            raise DefinitionError(f"{where}: a boolean is neither more nor less")

    @property
    def meaning(self) -> list[object]:
        """For the fingerprint: ``1`` and ``1.0`` are one number, and the order of ``in`` does not matter."""
        operands = [float(one) if _kind("", one) == "number" and float(one) == one else one for one in self.operands]
        return [self.column, self.comparison.value, sorted(set(operands), key=repr)]


def _kind(where: str, operand: Scalar) -> str:
    if isinstance(operand, bool):
        return "boolean"
    if isinstance(operand, str):
        return "text"
    if isinstance(operand, int | float) and -sys.float_info.max <= operand <= sys.float_info.max:
        return "number"
    raise DefinitionError(f"{where}: {operand!r} is no text, boolean or finite number")
