"""A digest of what an event says: equal for equal instant and data, however they were written."""

import hashlib
import re
import struct
from decimal import Decimal
from typing import Any

import orjson

_EMPTY = hashlib.blake2b(digest_size=8)
_SIGNED = struct.Struct(">q")
_WHOLE_FLOAT = re.compile(rb"\.0[,}\]]")


def digest(time: int, data: Any) -> int:
    """64 signed bits of BLAKE2b (RFC 7693) over ``time`` (microseconds) and the canonical form of ``data``.

    Equal values have equal digests: the order of keys, white space, escapes and the spelling of a number (2, 2.0, 2e0)
    do not count. It knows no contract, so a contract that changes changes no digest.
    """
    said = _EMPTY.copy()
    said.update(canonical(data) + b"%d" % time)
    number: int = _SIGNED.unpack(said.digest())[0]
    return number


def canonical(value: Any) -> bytes:
    """One text for all spellings of a value that :func:`tidemill.contracts.json_text.parse` made.

    As in RFC 8785 keys are sorted and a number is written as its float64; one that is no float64 keeps its digits.
    """
    try:
        text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return orjson.dumps(_canonical(value), option=orjson.OPT_SORT_KEYS)
    if _WHOLE_FLOAT.search(text) is None:
        return text
    return orjson.dumps(_canonical(value), option=orjson.OPT_SORT_KEYS)


def _canonical(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _canonical(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_canonical(item) for item in value]
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if isinstance(value, Decimal) or (isinstance(value, int) and not isinstance(value, bool)):
        return _canonical_number(value)
    return value


def _canonical_number(value: int | Decimal) -> int | float | orjson.Fragment:
    """A whole number of 64 bits as it is; else the float64 whose shortest text is the number; else its digits."""
    number = Decimal(value)
    if not number:
        return 0
    if number.adjusted() < 20 and (whole := int(number)) == number and -(2**63) <= whole < 2**64:
        return whole
    nearest = float(number)
    if Decimal(repr(nearest)) == number and not nearest.is_integer():
        return nearest
    sign, digits, exponent = number.as_tuple()
    significant = "".join(map(str, digits)).rstrip("0")
    return orjson.Fragment(f"{'-' * sign}{significant}e{int(exponent) + len(digits) - len(significant)}")
