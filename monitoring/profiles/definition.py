"""What is profiled: the columns of a table, and whether each is a number or a category."""

import hashlib
import json
import math
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

import pyarrow as pa

from tidemill.config.errors import TerminalError


class ProfileDefinitionError(TerminalError):
    """Columns that cannot be profiled as asked; the message names them."""


class Kind(StrEnum):
    NUMERIC = "numeric"
    CATEGORICAL = "categorical"


@dataclass(frozen=True)
class ColumnDefinition:
    """A column. Numbers below ``low`` or above ``high`` are counted; None is no bound."""

    name: str
    kind: Kind
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        bounds = [bound for bound in (self.low, self.high) if bound is not None]
        if bounds and self.kind is not Kind.NUMERIC:
            raise ProfileDefinitionError(f"column {self.name} is a category and has no range")
        if any(math.isnan(bound) for bound in bounds) or (len(bounds) == 2 and bounds[0] > bounds[1]):
            raise ProfileDefinitionError(f"column {self.name}: {self.low} to {self.high} is no range")


@dataclass(frozen=True)
class TableDefinition:
    """The columns that are profiled, and the one that tells each row's time, if any."""

    columns: tuple[ColumnDefinition, ...]
    time_column: str | None = None

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns]
        if not names:
            raise ProfileDefinitionError("no column is profiled")
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ProfileDefinitionError(f"profiled twice: {', '.join(repeated)}")

    @classmethod
    def of_schema(
        cls, schema: pa.Schema, time_column: str | None = None, categorical: Collection[str] = ()
    ) -> "TableDefinition":
        """Every column by its type: texts, booleans and those named ``categorical`` are categories.

        Times, dates and nested columns are left out; ``time_column`` is never profiled.

        Raises:
            ProfileDefinitionError: a named column is not in the schema, or nothing is left.
        """
        if missing := sorted({*categorical, *([time_column] if time_column else [])} - set(schema.names)):
            raise ProfileDefinitionError(f"the table has no column {', '.join(missing)}")
        kinds = {field.name: _kind(field.type) for field in schema if field.name != time_column}
        kinds |= dict.fromkeys(categorical, Kind.CATEGORICAL)
        columns = (ColumnDefinition(name, kind) for name, kind in kinds.items() if kind is not None)
        return cls(tuple(columns), time_column)

    @property
    def digest(self) -> str:
        """The same for definitions whose profiles can be compared: ranges are left out."""
        content = [self.time_column, sorted((column.name, column.kind.value) for column in self.columns)]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def _kind(type_: pa.DataType) -> Kind | None:
    types = pa.types
    if types.is_floating(type_) or types.is_integer(type_) or types.is_decimal(type_):
        return Kind.NUMERIC
    if types.is_boolean(type_) or types.is_dictionary(type_) or _is_text(type_):
        return Kind.CATEGORICAL
    return None


def _is_text(type_: pa.DataType) -> bool:
    return bool(pa.types.is_string(type_) or pa.types.is_large_string(type_) or pa.types.is_string_view(type_))
