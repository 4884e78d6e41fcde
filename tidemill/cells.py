"""Values of a query's result as JSON and CSV can hold them, none of them changed."""

import math
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from tidemill.config import strict_json


def json_value(cell: Any) -> Any:
    """``cell`` as a JSON value: what JSON has no exact form for is its text, also inside lists and structures.

    A decimal keeps its digits; NaN and the infinities are the texts that Spark and PostgreSQL write for them, so that
    null stays what it is.
    """
    if cell is None or isinstance(cell, (bool, int, str)):
        return cell
    if isinstance(cell, float):
        return cell if math.isfinite(cell) else _not_finite(cell)
    if isinstance(cell, Mapping):
        return {_key(key): json_value(item) for key, item in cell.items()}
    if isinstance(cell, (list, tuple)):
        return [json_value(item) for item in cell]
    return _text(cell)


def csv_value(cell: Any) -> Any:
    """``cell`` as one field of CSV: nothing for null, JSON for what has parts."""
    value = json_value(cell)
    return strict_json.dumps(value) if isinstance(value, (bool, dict, list)) else value


def unique(names: Sequence[str]) -> list[str]:
    """``names`` with a number behind each that was there before, as DuckDB numbers the columns of a subquery."""
    return list(_unique(names))


def _unique(names: Sequence[str]) -> Iterator[str]:
    taken, given = set(names), set[str]()
    for name in names:
        number, new = 0, name
        while new in given or (number and new in taken):
            number += 1
            new = f"{name}_{number}"
        given.add(new)
        yield new


def _key(key: Any) -> str:
    value = json_value(key)
    return value if isinstance(value, str) else strict_json.dumps(value)


def _text(cell: Any) -> str:
    if isinstance(cell, (bytes, bytearray, memoryview)):
        return bytes(cell).decode("utf-8", "backslashreplace")
    return f"{cell:f}" if isinstance(cell, Decimal) else str(cell)


def _not_finite(number: float) -> str:
    if math.isnan(number):
        return "NaN"
    return "Infinity" if number > 0 else "-Infinity"
