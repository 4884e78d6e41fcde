"""What two messages say, compared: the proof's own way, which shares nothing with the judge's digest."""

import hashlib
import json
from decimal import Decimal
from typing import Any


def content(value: bytes) -> str:
    """A text that is equal for two valid events when their ``data`` are equal as JSON values."""
    data = json.loads(value, parse_int=Decimal, parse_float=Decimal)["data"]
    return hashlib.sha256(repr(_plain(data)).encode("utf-8", "surrogatepass")).hexdigest()


def _plain(value: Any) -> object:
    """Objects as sorted pairs, and a number as its sign, digits and exponent without zeros at the end."""
    if isinstance(value, dict):
        return "object", sorted((key, _plain(item)) for key, item in value.items())
    if isinstance(value, list):
        return "array", [_plain(item) for item in value]
    if isinstance(value, Decimal):
        return "number", _number(value)
    return value


def _number(value: Decimal) -> object:
    """Sign, digits and exponent without zeros at the end; a context of decimal's would round."""
    sign, digits, exponent = value.as_tuple()
    text = "".join(map(str, digits))
    kept = text.rstrip("0")
    return (sign, kept, int(exponent) + len(text) - len(kept)) if kept else 0
