"""Cells to JSON text: each as the contract types it, and numbers digit by digit, never through a binary fraction.

A cell is text (csv), or what a typed file, a table or JSON has: whole numbers, floats, decimals, booleans, times, null.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from ingestion_layer.sources.mapped.declared import Column, Declared, Numbers
from ingestion_layer.sources.mapped.moments import rfc3339, to_moment
from tidemill.contracts.columns import ArrayType, ColumnType, DecimalType, MapType
from tidemill.contracts.json_text import BeyondLimitsError, NotJsonError, parse
from tidemill.contracts.serialise import NoJsonError, to_json

Convert = Callable[[Any], "str | Unfit"]
"""From a cell to JSON text; ``null`` where it has no value."""

NULL = "null"
MISSING, UNREADABLE = "missing", "unreadable"
MAX_TOLD = 80
_JSON_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_WHOLE = re.compile(r"[+-]?[0-9]+(?:\.0*)?")
_BOOLEANS = {"true": "true", "false": "false", "1": "true", "0": "false"}


@dataclass(frozen=True)
class Unfit:
    """A cell that cannot be what its property is; ``where`` is the property, or ``time`` or ``id``."""

    reason: str
    column: str
    where: str
    detail: str


class UnreadableError(ValueError):
    """A cell that is none of its type."""


def is_null(cell: Any, said: Declared) -> bool:
    return cell is None or (isinstance(cell, str) and cell.strip() in said.null_tokens)


def converter(name: str, column: Column, kind: ColumnType, said: Declared) -> Convert:
    """How the cells of the column ``name`` become JSON of ``kind``."""
    read = _reader(column, kind, said)
    values = {text: to_json(value).decode() for text, value in column.values.items()}
    where = f"/data/{column.property.replace('.', '/')}"

    def convert(cell: Any) -> str | Unfit:
        if (is_text := isinstance(cell, str)) and values and (other := values.get(cell.strip())) is not None:
            return other
        if is_null(cell, said):
            return NULL
        try:
            return read(cell.strip() if is_text and column.strip else cell)
        except (UnreadableError, NoJsonError, NotJsonError, BeyondLimitsError) as error:
            return Unfit(UNREADABLE, name, where, f"{str(cell)[:MAX_TOLD]!r} {error}")

    return convert


def _reader(column: Column, kind: ColumnType, said: Declared) -> Callable[[Any], str]:
    match kind:
        case DecimalType():
            return lambda cell: number(cell, said.numbers)
        case ArrayType() | MapType():
            return structure
    if kind.sql == "TIMESTAMP":
        return lambda cell: f'"{_moment(cell, column, said)}"'
    readers: Mapping[str, Callable[[Any], str]] = {
        "BIGINT": lambda cell: whole(cell, said.numbers),
        "DOUBLE": lambda cell: number(cell, said.numbers),
        "BOOLEAN": boolean,
        "STRING": (lambda cell: _quoted(whole(cell, said.numbers))) if column.whole else text,
    }
    return readers[kind.sql]


def number(cell: Any, numbers: Numbers) -> str:
    """The number as JSON writes it, with the digits that the cell has.

    A float is the shortest decimal that is the same float: what a workbook shows.
    """
    lexeme = _lexeme(cell, numbers)
    if _JSON_NUMBER.fullmatch(lexeme):
        return lexeme
    if _NUMBER.fullmatch(lexeme):
        return _plain(lexeme)
    raise UnreadableError("is no number")


def whole(cell: Any, numbers: Numbers) -> str:
    """The whole number; 6.0 is one, 6.5 is not."""
    lexeme = _lexeme(cell, numbers)
    if _WHOLE.fullmatch(lexeme):
        return _plain(lexeme.partition(".")[0])
    if _NUMBER.fullmatch(lexeme) and "e" in lexeme.lower():
        sent = _decimal(lexeme)
        if abs(sent.adjusted()) < 40 and sent == sent.to_integral_value():
            return str(int(sent))
    raise UnreadableError("is no whole number")


def boolean(cell: Any) -> str:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if (said := _BOOLEANS.get(str(cell).strip().lower())) is not None:
        return said
    raise UnreadableError("is neither true nor false (state `values` for other words)")


def text(cell: Any) -> str:
    """The text; of a number its shortest form, of a time ISO 8601."""
    return _quoted(cell if isinstance(cell, str) else _as_text(cell))


def _as_text(cell: Any) -> str:
    match cell:
        case bool():
            return "true" if cell else "false"
        case float() | Decimal():
            return plain_text(cell)
        case datetime() if cell.tzinfo is not None:  # not in the zone of whoever's session read it
            return cell.astimezone(UTC).isoformat()
        case date() | time():
            return cell.isoformat()
        case int() | UUID():
            return str(cell)
    raise UnreadableError(f"is a {type(cell).__name__}, which is no text")


def plain_text(cell: float | Decimal | str) -> str:
    """A number without a power of ten, and without a fraction of zeros: 17850.0 is 17850."""
    value = cell if isinstance(cell, Decimal) else _decimal(repr(cell) if isinstance(cell, float) else cell)
    if not value.is_finite() or abs(value.adjusted()) > 40:
        raise UnreadableError("is no number that has a short text")
    digits = format(value, "f")
    return digits.rstrip("0").rstrip(".") if "." in digits else digits


def _decimal(lexeme: str) -> Decimal:
    try:
        return Decimal(lexeme)
    except ArithmeticError:
        raise UnreadableError("has an exponent that no number has") from None


def structure(cell: Any) -> str:
    """An array or an object, as JSON has it or as JSON in a text."""
    if isinstance(cell, list | dict):
        return to_json(cell).decode()
    if isinstance(cell, str) and cell.lstrip()[:1] in ("[", "{"):
        return to_json(parse(cell.encode())).decode()
    raise UnreadableError("is neither an array nor an object in JSON")


def _moment(cell: Any, column: Column, said: Declared) -> str:
    try:
        return rfc3339(to_moment(cell, column.format, said.zone_info))
    except ValueError as error:
        raise UnreadableError(str(error)) from None


def _lexeme(cell: Any, numbers: Numbers) -> str:
    if isinstance(cell, str):
        stripped = cell.strip()
        if numbers.thousands and numbers.thousands in stripped:
            stripped = _without_thousands(stripped, numbers)
        return stripped if numbers.decimal == "." else _with_point(stripped, numbers.decimal)
    if isinstance(cell, bool) or not isinstance(cell, int | float | Decimal):
        raise UnreadableError(f"is a {type(cell).__name__}, which is no number")
    if not math.isfinite(cell):
        raise UnreadableError("is no number")
    return repr(cell) if isinstance(cell, float) else str(cell)


def _without_thousands(lexeme: str, numbers: Numbers) -> str:
    """Groups of three only: where 3.5 is three and a half to another, it must not become 35."""
    before, mark, after = lexeme.partition(numbers.decimal)
    first, *groups = before.lstrip("+-").split(numbers.thousands)
    if not 1 <= len(first) <= 3 or any(len(group) != 3 for group in groups) or numbers.thousands in after:
        raise UnreadableError(f"has {numbers.thousands!r} where numbers.thousands does not stand")
    return before.replace(numbers.thousands, "") + mark + after


def _with_point(lexeme: str, mark: str) -> str:
    """With a decimal comma a point is no part of a number: 1.234 would be a thousand times as much."""
    if "." in lexeme:
        raise UnreadableError(f"has a point where numbers.decimal is {mark!r} (is it numbers.thousands?)")
    return lexeme.replace(mark, ".")


def _plain(lexeme: str) -> str:
    """As JSON has it: without a plus, without zeros in front, with a digit on both sides of the point."""
    sign = "-" if lexeme.startswith("-") else ""
    mantissa, mark, exponent = lexeme.lstrip("+-").lower().partition("e")
    digits, _, fraction = mantissa.partition(".")
    return f"{sign}{digits.lstrip('0') or '0'}{'.' + fraction if fraction else ''}{mark}{exponent}"


def _quoted(value: str) -> str:
    return to_json(value).decode()
