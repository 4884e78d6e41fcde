"""Where a reading of a table stands: values of its columns as JSON keeps them, and how far below them to look again."""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Any
from uuid import UUID

from tidemill.config.errors import TerminalError

FURTHEST_AHEAD = timezone(timedelta(hours=14))
Kept = dict[str, str]


class MarkError(TerminalError):
    """A value of the update column that cannot be compared with later ones."""


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


READERS: Mapping[str, Callable[[str], Any]] = {
    "int": int, "float": float, "Decimal": Decimal, "str": str, "datetime": _moment, "date": date.fromisoformat,
    "UUID": UUID,
}  # fmt: skip


def kept(column: str, value: Any) -> Kept:
    """``value`` as text with its type.

    Raises:
        MarkError: its type has no order that a database shares.
    """
    kind = type(value).__name__
    if kind not in READERS:
        raise MarkError(f"column {column!r} has a {kind}, by which nobody can tell what is newer: name another column")
    return {"type": kind, "text": value.isoformat() if isinstance(value, date) else str(value)}


def value_of(mark: Kept) -> Any:
    """The value that was kept."""
    return READERS[mark["type"]](mark["text"])


def below(column: str, value: Any, overlap: float) -> Any:
    """``value`` less ``overlap``: seconds of times, also of those that are texts, else units of the number.

    Raises:
        MarkError: a text that is no time.
    """
    if not overlap:
        return value
    if isinstance(value, datetime):
        return value - timedelta(seconds=overlap)
    if isinstance(value, date):
        return value - timedelta(days=-(-overlap // 86_400))
    if isinstance(value, str):
        return _below_text(column, value, overlap)
    return value - (Decimal(str(overlap)) if isinstance(value, Decimal) else type(value)(-(-overlap // 1)))


def is_beyond(value: Any, now: datetime, zone: tzinfo | None) -> bool:
    """Whether ``value`` is a time to come, which is no place to go on from.

    What names no offset is local time of ``zone``; without one, of the zone whose clocks are the furthest ahead.
    """
    if isinstance(value, str):
        moment = _time_of(value)
        return moment is not None and is_beyond(moment, now, zone)
    if isinstance(value, datetime):
        is_aware = value.tzinfo is not None
        return value > (now if is_aware else now.astimezone(zone or FURTHEST_AHEAD).replace(tzinfo=None))
    if isinstance(value, date):
        return value > now.astimezone(zone or FURTHEST_AHEAD).date()
    return False


def _below_text(column: str, text: str, overlap: float) -> str:
    """SQLite keeps times as texts and compares them so: the new one is written as the old one is."""
    if (moment := _time_of(text)) is None:
        raise MarkError(
            f"column {column!r} has the text {text[:40]!r}, which is no time, so that `table.overlap` has no meaning: "
            "state `overlap: 0`"
        )
    earlier = moment - timedelta(seconds=overlap)
    separator = text[10] if len(text) > 10 else "T"
    fraction = len(text.partition(".")[2].rstrip("Z").partition("+")[0])
    timespec = "milliseconds" if 0 < fraction <= 3 else "microseconds" if fraction else "seconds"
    if len(text) == 10:
        return earlier.date().isoformat()
    written = earlier.isoformat(separator, timespec)
    return written.replace("+00:00", "Z") if text.endswith("Z") and moment.tzinfo == UTC else written


def _time_of(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
