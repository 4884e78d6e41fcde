"""JSON text to values, every number exactly as it was written, in time that grows with the text.

orjson decides what is JSON and reads most texts. It reads numbers as float64; a text with a number that could lose
something on that way is read once more with :class:`decimal.Decimal`.
"""

import json
import math
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import orjson

MAX_DEPTH = 100
MAX_DIGITS = 1_000
MAX_EXPONENT = 400
_LIMITS = f"a number has at most {MAX_DIGITS:,} digits, an exponent up to {MAX_EXPONENT}, and is within float64's range"

# A decimal of 15 significant digits survives float64 (IEEE 754, 5.12.2), away from the ends of its range. What is found
# within a string costs the slower way and changes nothing. Classes of characters first, a sign like a digit: a search
# that begins with two characters is fast, and what they cannot begin costs nothing.
_CLASSES = bytes.maketrans(b"123456789.-E, \t\r\n[", b"00000000000e::::::")
_LONG_NUMBER = re.compile(rb":0(?:0{15}|0*e)")
_ARRAY = ord("[")
_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?'
_BRACKET = re.compile(_STRING + rb"|[\[\]{}]", re.DOTALL)
_NUMBER = re.compile(
    _STRING + rb"|(?<![0-9.eE+-])-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+(?![0-9.eE+-])", re.DOTALL
)


class NotJsonError(ValueError):
    """A text that is not JSON."""


class BeyondLimitsError(ValueError):
    """JSON with a number or a nesting that nobody should have to compute with; ``path`` leads to it."""

    def __init__(self, path: Sequence[str | int], message: str) -> None:
        super().__init__(message)
        self.path = path


def parse(text: bytes) -> Any:
    """The value of a JSON text: whole numbers as int; others as float where that is exact, else as Decimal.

    Of equal keys the last counts.

    Raises:
        NotJsonError: it is not JSON.
        BeyondLimitsError: deeper than ``MAX_DEPTH``, or a number of more than ``MAX_DIGITS`` digits, an exponent
            beyond ``MAX_EXPONENT``, or a size that float64 calls infinite.
    """
    arrays = text.count(b"[") if _ARRAY in text else 0  # most have none, and that is ten times as fast to see
    if text.count(b"{") + arrays > MAX_DEPTH:
        _check_depth(text)
    if text[:1] != b"{" or _LONG_NUMBER.search(text.translate(_CLASSES)) is not None:
        return _parse_exactly(text)
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise NotJsonError(str(error)) from error


def parse_array(text: bytes) -> Any:
    """The value of a JSON text that is an array, its items as :func:`parse` gives them.

    Items may be deeper than ``MAX_DEPTH``: whoever takes one judges that. Counting it here would cost more than the
    rest, since what has many items has many brackets.

    Raises:
        NotJsonError, BeyondLimitsError: as :func:`parse`.
    """
    if _LONG_NUMBER.search(text.translate(_CLASSES)) is not None:
        _check_depth(text, MAX_DEPTH + 1)
        return _parse_exactly(text)
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise NotJsonError(str(error)) from error


def _check_depth(text: bytes, most: int = MAX_DEPTH) -> None:
    depth = 0
    for token in _BRACKET.finditer(text):
        bracket = text[token.start()]
        if bracket in b"[{":
            depth += 1
            if depth > most:
                raise BeyondLimitsError((), f"nested deeper than {most} levels at byte {token.start()}")
        elif bracket in b"]}":
            depth -= 1


def _parse_exactly(text: bytes) -> Any:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        _check_without_numbers(text)
        _parse_without_beyond(text)
        raise BeyondLimitsError((), f"under a key that comes again: {_LIMITS}") from None
    try:
        return _EXACT.decode(text.decode())
    except BeyondLimitsError:
        return _parse_without_beyond(text)


def _check_without_numbers(text: bytes) -> None:
    """Whether it was only for a number beyond float64 that orjson refused ``text``.

    Such a number is legal, but RFC 8259 (6) warns that few readers take it: whoever reads bronze would stumble.
    """
    try:
        orjson.loads(_NUMBER.sub(_stand_in, text))
    except orjson.JSONDecodeError as error:
        raise NotJsonError(str(error)) from error


def _stand_in(token: re.Match[bytes]) -> bytes:
    lexeme = token[0]
    return lexeme if lexeme.startswith(b'"') else b"0".ljust(len(lexeme))


def _parse_without_beyond(text: bytes) -> Any:
    """The value, when what is beyond the limits is under a key that comes again."""
    value = _MARKED.decode(text.decode())
    for path, lexeme in _beyond(value, ()):
        raise BeyondLimitsError(path, _told(lexeme))
    return value


class _Beyond(str):
    """A number that was not computed."""


def _beyond(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if isinstance(value, _Beyond):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _beyond(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _beyond(item, (*path, index))


def _told(lexeme: str) -> str:
    shown = lexeme if len(lexeme) <= 40 else f"{lexeme[:20]}...{lexeme[-15:]}"
    return f"{shown} is beyond the limits: {_LIMITS}"


def _is_beyond(lexeme: str) -> bool:
    """Judged by the characters alone: no number is made of them."""
    mantissa, _, exponent = lexeme.lower().partition("e")
    digits = exponent.lstrip("+-").lstrip("0")
    too_long = sum(map(len, mantissa.lstrip("-").split("."))) > MAX_DIGITS
    return too_long or len(digits) > len(str(MAX_EXPONENT)) or int(digits or 0) > MAX_EXPONENT


def _whole(lexeme: str) -> int:
    if len(lexeme) > MAX_DIGITS and _is_beyond(lexeme):
        raise BeyondLimitsError((), _told(lexeme))
    return int(lexeme)


def _decimal(lexeme: str) -> Decimal:
    if _is_beyond(lexeme):
        raise BeyondLimitsError((), _told(lexeme))
    return Decimal(lexeme)


def _marked_whole(lexeme: str) -> int | _Beyond:
    return _Beyond(lexeme) if _is_beyond(lexeme) or math.isinf(float(lexeme)) else int(lexeme)


def _marked_decimal(lexeme: str) -> Decimal | _Beyond:
    return _Beyond(lexeme) if _is_beyond(lexeme) or math.isinf(float(lexeme)) else Decimal(lexeme)


_EXACT = json.JSONDecoder(parse_int=_whole, parse_float=_decimal)
_MARKED = json.JSONDecoder(parse_int=_marked_whole, parse_float=_marked_decimal)
