"""Events to JSON, each value as it is, or the sentence that says which value has no form in JSON."""

import math
import re
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import orjson

from tidemill.contracts.json_text import MAX_DEPTH, MAX_DIGITS

Path = tuple[str | int, ...]

# A date, a time or a dataclass has more than one form in JSON: whoever makes the event says which.
_OPTIONS = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS
_NULL = re.compile(b"null")  # twice as fast as ``in``
_BITS_A_DIGIT = math.log2(10)


@dataclass
class NoJsonError(ValueError):
    """A value that JSON cannot say; ``path`` leads to it."""

    path: Path
    message: str
    is_beyond_limits: bool = False


def to_json(event: Any) -> bytes:
    """``event`` as JSON: of decimals and whole numbers every digit; NaN may be null, see :func:`check_nulls`.

    Raises:
        NoJsonError: NaN, an infinity, half a surrogate pair, a key that is no text, a type that JSON does not have, a
            value that raises when it is read, a number or a nesting beyond the limits of
            :mod:`tidemill.contracts.json_text`.
    """
    try:
        return orjson.dumps(event, _default, _OPTIONS)
    except TypeError:
        return orjson.dumps(_plain(event, ()), option=_OPTIONS)


def check_nulls(event: Any, text: bytes, document: Any) -> None:
    """That no null of ``text``, which :func:`to_json` made of ``event``, was NaN or an infinity.

    ``document`` is what was read of ``text``: where it equals the event, its nulls are those of the event.

    Raises:
        NoJsonError: one was.
    """
    if _NULL.search(text) is not None and not _is_equal(document, event):
        _plain(event, ())


def _is_equal(document: Any, event: Any) -> bool:
    """False also where the event cannot be compared: the slow way then finds out what is wrong with it."""
    try:
        return bool(document == event)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - what anybody wrote may raise anything
        return False


def _default(value: Any) -> Any:
    if isinstance(value, Decimal) and value.is_finite():
        return orjson.Fragment(Decimal.__str__(value))
    if isinstance(value, float):  # numpy's float64
        return float(value)
    if isinstance(value, Mapping):
        return dict(value)
    if (plain := _without_numpy(value)) is not value:
        return plain
    raise TypeError


def _without_numpy(value: Any) -> Any:
    """A whole number, float or boolean of numpy as Python's; anything else as it is.

    By kind, since numpy calls a time difference an integer and forgets its unit.
    """
    numpy = sys.modules.get("numpy")
    if numpy is None or not isinstance(value, numpy.generic) or value.dtype.kind not in "biuf":
        return value
    return value.item()


def _plain(value: Any, path: Path) -> Any:
    """``value`` in what orjson takes: slow, but it knows where it is."""
    if len(path) > MAX_DEPTH:
        raise NoJsonError((), f"nested deeper than {MAX_DEPTH} levels", is_beyond_limits=True)
    try:
        return _read(value, path)
    except (NoJsonError, MemoryError):
        raise
    except Exception as error:
        told = traceback.format_exception_only(error)[-1].strip()  # it can also tell of one that has no text
        raise NoJsonError(path, f"a {type(value).__name__} cannot be read: {told}") from error


def _read(value: Any, path: Path) -> Any:
    if isinstance(value, Mapping):
        return {(name := _key(key, path)): _plain(item, (*path, name)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, (*path, index)) for index, item in enumerate(value)]
    if isinstance(value, Enum):
        return _read(value.value, path)
    return _scalar(_without_numpy(value), path)


def _scalar(value: Any, path: Path) -> Any:
    if isinstance(value, float | Decimal):
        return _number(value, path)
    if isinstance(value, int) and not isinstance(value, bool):
        return _whole(value, path)
    if isinstance(value, str):
        return _text(value, path)
    if value is None or isinstance(value, bool | UUID):
        return value
    raise NoJsonError(path, f"a {type(value).__name__} has no one form in JSON: make it text or a number")


def _key(key: Any, path: Path) -> str:
    if not isinstance(key, str):
        raise NoJsonError(path, f"the key {key!r} is no text")
    return _text(key, path)


def _text(text: str, path: Path) -> str:
    plain = str.__str__(text)  # what it holds, as orjson reads it, whatever a subclass makes of it
    try:
        plain.encode()
    except UnicodeEncodeError as error:
        raise NoJsonError(path, f"has half a surrogate pair at character {error.start}, which is no text") from None
    return plain


def _number(number: float | Decimal, path: Path) -> float | orjson.Fragment:
    is_finite = number.is_finite() if isinstance(number, Decimal) else math.isfinite(number)
    if not is_finite:
        raise NoJsonError(path, f"{number} is no number in JSON")
    return orjson.Fragment(Decimal.__str__(number)) if isinstance(number, Decimal) else float(number)


def _whole(number: int, path: Path) -> int | orjson.Fragment:
    if -(2**63) <= number < 2**64:
        return int(number)
    if number.bit_length() > (MAX_DIGITS + 1) * _BITS_A_DIGIT:  # Python refuses to write very long ones
        raise NoJsonError(path, f"a whole number has more than {MAX_DIGITS} digits", is_beyond_limits=True)
    return orjson.Fragment(int.__str__(number))
