"""What the store takes of a caller's values: the same on every database."""

import json
from typing import Any

from monitoring.control.errors import UnusableRecordError
from monitoring.control.records import Json
from monitoring.control.schema import NAME_LENGTH
from tidemill.config import strict_json

REASON_LENGTH = 10_000


def checked_name(what: str, value: str) -> str:
    """``value``, which fits into an index.

    Raises:
        UnusableRecordError: it is blank or too long, or no database keeps one of its characters.
    """
    return _checked(what, value, NAME_LENGTH)


def checked_reason(value: str) -> str:
    """``value``, which says something.

    Raises:
        UnusableRecordError: as :func:`checked_name`.
    """
    return _checked("the reason", value, REASON_LENGTH)


def checked_json(what: str, value: Json) -> dict[str, Any]:
    """``value`` as JSON gives it back.

    Raises:
        UnusableRecordError: JSON cannot hold it.
    """
    try:
        plain: dict[str, Any] = json.loads(strict_json.dumps(value))
    except (TypeError, ValueError, RecursionError) as error:
        raise UnusableRecordError(f"{what} cannot be kept as JSON: {error}") from error
    return plain


def _checked(what: str, value: str, length: int) -> str:
    if not value.strip():
        raise UnusableRecordError(f"{what} is empty: give a text")
    if len(value) > length:
        raise UnusableRecordError(f"{what} has {len(value)} characters, {length} are kept: {value[:60]!r}...")
    if "\0" in value or value != value.encode("utf-8", "replace").decode("utf-8"):
        raise UnusableRecordError(f"{what} has a character that no database keeps: {value[:60]!r}")
    return value
