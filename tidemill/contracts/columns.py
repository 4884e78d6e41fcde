"""The columns of a contract's ``data``: the one place where JSON Schema becomes a table."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tidemill.contracts.errors import ContractError

if TYPE_CHECKING:
    from tidemill.contracts.registry import Contract

SIMPLE_TYPES = {"integer": "BIGINT", "number": "DOUBLE", "boolean": "BOOLEAN", "string": "STRING"}
MAX_PRECISION = 38


@dataclass(frozen=True)
class SimpleType:
    """BIGINT, DOUBLE, BOOLEAN, STRING or TIMESTAMP."""

    sql: str


@dataclass(frozen=True)
class DecimalType:
    precision: int
    scale: int

    @property
    def sql(self) -> str:
        return f"DECIMAL({self.precision},{self.scale})"


@dataclass(frozen=True)
class ArrayType:
    items: "ColumnType"

    @property
    def sql(self) -> str:
        return f"ARRAY<{self.items.sql}>"


@dataclass(frozen=True)
class MapType:
    values: "ColumnType"

    @property
    def sql(self) -> str:
        return f"MAP<STRING,{self.values.sql}>"


ColumnType = SimpleType | DecimalType | ArrayType | MapType


@dataclass(frozen=True)
class Column:
    """One column: its name, Spark SQL type, and whether a valid event may lack it."""

    name: str
    sql_type: str
    nullable: bool


def data_columns(contract: "Contract") -> tuple[Column, ...]:
    """The columns of ``data``, in the order of the schema."""
    required, properties = set(contract.schema["required"]), contract.schema["properties"]
    return tuple(
        Column(name, kind.sql, name not in required or "null" in types(properties[name]))
        for name, kind in data_types(contract).items()
    )


def data_types(contract: "Contract") -> Mapping[str, ColumnType]:
    """The type of each column of ``data``, in the order of the schema.

    Raises:
        ContractError: a property has no type that a column can have.
    """
    properties = contract.schema["properties"]
    return {name: column_type(f"{contract.topic}: {name}", schema) for name, schema in properties.items()}


def data_ddl(contract: "Contract") -> str:
    """The columns as a Spark DDL list, for ``from_json``."""
    return ", ".join(f"`{column.name}` {column.sql_type}" for column in data_columns(contract))


def column_type(where: str, schema: Any) -> ColumnType:
    """The type of a column that holds what ``schema`` allows; ``where`` begins the sentence of an error.

    Raises:
        ContractError: there is none.
    """
    kinds = [kind for kind in types(schema) if kind != "null"]
    if len(kinds) != 1:
        raise ContractError(f"{where} must have exactly one type beside null, has {kinds}")
    kind = kinds[0]
    if kind == "string" and schema.get("format") == "date-time":
        return SimpleType("TIMESTAMP")
    if kind == "number" and "x-decimal" in schema:
        return _decimal_type(where, schema["x-decimal"])
    if kind == "array" and "prefixItems" not in schema:
        return ArrayType(column_type(f"{where} items", schema.get("items")))
    if kind == "object" and not schema.keys() & {"properties", "patternProperties"}:
        return MapType(column_type(f"{where} additionalProperties", schema.get("additionalProperties")))
    try:
        return SimpleType(SIMPLE_TYPES[kind])
    except KeyError:
        raise ContractError(f"{where} has type {kind!r}, which has no column type") from None


def _decimal_type(where: str, declared: Any) -> DecimalType:
    match declared:
        case [int(precision), int(scale)] if 0 <= scale <= precision and 0 < precision <= MAX_PRECISION:
            return DecimalType(precision, scale)
    raise ContractError(
        f"{where} has x-decimal {declared!r}: write [precision, scale], with scale <= precision <= {MAX_PRECISION}"
    )


def types(schema: Any) -> list[str]:
    """The types that a property may have; none where its schema names none."""
    declared = schema.get("type", []) if isinstance(schema, Mapping) else []
    return [declared] if isinstance(declared, str) else list(declared)
