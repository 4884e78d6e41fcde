"""The columns of a declaration as Delta writes them in a table's log, without a JVM to parse them."""

import re
from collections.abc import Iterator
from typing import Any

from tidemill.contracts.columns import Column

PRIMITIVES = {
    "BIGINT": "long",
    "BINARY": "binary",
    "BOOLEAN": "boolean",
    "DATE": "date",
    "DOUBLE": "double",
    "INT": "integer",
    "STRING": "string",
    "TIMESTAMP": "timestamp",
}
NESTED = re.compile(r"(ARRAY|MAP|STRUCT)<(.*)>")
DECIMAL = re.compile(r"DECIMAL\((\d+), ?(\d+)\)")


def column(name: str, kind: str) -> Column:
    """A column as declarations write it: ``TYPE`` when it always has a value, ``TYPE?`` when it may be null."""
    return Column(name, kind.removesuffix("?"), kind.endswith("?"))


def columns(*ddl: str) -> tuple[Column, ...]:
    """Columns, each as ``"name TYPE"`` or ``"name TYPE?"``."""
    return tuple(column(*item.split(" ", 1)) for item in ddl)


def schema_json(columns: tuple[Column, ...]) -> dict[str, Any]:
    """The schema of ``columns``; what is inside of an array, a map or a struct may be null.

    Raises:
        KeyError: a type that no declaration had until now.
    """
    fields = [_field(column.name, json_type(column.sql_type), column.nullable) for column in columns]
    return {"type": "struct", "fields": fields}


def json_type(sql: str) -> Any:
    if decimal := DECIMAL.fullmatch(sql):
        return f"decimal({decimal[1]},{decimal[2]})"
    nested = NESTED.fullmatch(sql)
    if nested is None:
        return PRIMITIVES[sql]
    parts = list(_parts(nested[2]))
    if nested[1] == "ARRAY":
        return {"type": "array", "elementType": json_type(parts[0]), "containsNull": True}
    if nested[1] == "MAP":
        key, value = map(json_type, parts)
        return {"type": "map", "keyType": key, "valueType": value, "valueContainsNull": True}
    named = (part.split(":", 1) for part in parts)
    return {"type": "struct", "fields": [_field(name, json_type(kind.strip()), True) for name, kind in named]}


def _field(name: str, kind: Any, nullable: bool) -> dict[str, Any]:
    return {"name": name, "type": kind, "nullable": nullable, "metadata": {}}


def _parts(inside: str) -> Iterator[str]:
    """What stands between the commas that are in no brackets."""
    depth, begin = 0, 0
    for position, letter in enumerate(inside):
        depth += (letter in "<(") - (letter in ">)")
        if letter == "," and not depth:
            yield inside[begin:position].strip()
            begin = position + 1
    yield inside[begin:].strip()
