"""The columns of a contract's ``data``, in SQL types: the one place where JSON Schema becomes a table."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contracts.registry import Contract, ContractError

SIMPLE_TYPES = {"integer": "BIGINT", "number": "DOUBLE", "boolean": "BOOLEAN", "string": "STRING"}


@dataclass(frozen=True)
class Column:
    """One column: its name, Spark SQL type, and whether a valid event may lack it."""

    name: str
    sql_type: str
    nullable: bool


def data_columns(contract: Contract) -> tuple[Column, ...]:
    """The columns of ``data``, in the order of the schema."""
    required = set(contract.schema["required"])
    return tuple(
        Column(name, _sql_type(contract, name, schema), name not in required or "null" in _types(schema))
        for name, schema in contract.schema["properties"].items()
    )


def data_ddl(contract: Contract) -> str:
    """The columns as a Spark DDL list, for ``from_json``."""
    return ", ".join(f"`{column.name}` {column.sql_type}" for column in data_columns(contract))


def _sql_type(contract: Contract, name: str, schema: Mapping[str, Any]) -> str:
    kinds = [kind for kind in _types(schema) if kind != "null"]
    if len(kinds) != 1:
        raise ContractError(f"{contract.topic}: {name} must have exactly one type beside null, has {kinds}")
    kind = kinds[0]
    if kind == "string" and schema.get("format") == "date-time":
        return "TIMESTAMP"
    if kind == "number" and "x-decimal" in schema:
        precision, scale = schema["x-decimal"]
        return f"DECIMAL({precision},{scale})"
    if kind == "array":
        return f"ARRAY<{_sql_type(contract, name, schema['items'])}>"
    if kind == "object" and "additionalProperties" in schema:
        return f"MAP<STRING,{_sql_type(contract, name, schema['additionalProperties'])}>"
    try:
        return SIMPLE_TYPES[kind]
    except KeyError:
        raise ContractError(f"{contract.topic}: {name} has type {kind!r}, which has no column type") from None


def _types(schema: Mapping[str, Any]) -> list[str]:
    declared = schema.get("type", [])
    return [declared] if isinstance(declared, str) else list(declared)
