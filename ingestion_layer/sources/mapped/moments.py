"""Times as others write them, in their zone, to the moment in UTC."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from ingestion_layer.sources.mapped.declared import EPOCHS, ISO

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BEYOND = "is outside the years 1 to 9999"
BEYOND_ALL = Decimal("1e30")
LONG_FRACTION = re.compile(r"(\.[0-9]{6})[0-9]+")


@dataclass(frozen=True)
class BeyondCalendar:
    """A time before the year 1 or after 9999, by the number that a file has for it."""

    number: str

    def __str__(self) -> str:
        return self.number


def to_moment(cell: Any, form: str, zone: tzinfo | None) -> datetime:
    """The moment in UTC of a cell; a text is read by ``form``, what names no offset is local time of ``zone``.

    Of a local time that comes twice, when clocks are set back, the first is meant. Digits beyond microseconds are cut.

    Raises:
        ValueError: no time, one of a zone that nobody stated, or a local time that the zone's clocks left out.
    """
    if isinstance(cell, BeyondCalendar):
        raise ValueError(BEYOND)  # noqa: TRY004
    if isinstance(cell, datetime):
        return _in_utc(cell, zone)
    if isinstance(cell, date):
        return _in_utc(datetime(cell.year, cell.month, cell.day), zone)
    if form in EPOCHS:
        return _since_epoch(cell, EPOCHS[form])
    if not isinstance(cell, str):
        raise ValueError(f"is a {type(cell).__name__} where a time is expected (is it an epoch? state `format`)")  # noqa: TRY004
    return _of_text(cell.strip(), form, zone)


def rfc3339(moment: datetime) -> str:
    """A moment in UTC with microseconds, as events have it."""
    return f"{moment.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def _of_text(text: str, form: str, zone: tzinfo | None) -> datetime:
    if form != ISO:
        try:
            moment = datetime.strptime(text, form)
        except ValueError:
            raise ValueError(f"is no time of the format {form!r}") from None
        return _in_utc(moment, zone)
    try:
        moment = datetime.fromisoformat(LONG_FRACTION.sub(r"\1", text))
    except ValueError:
        raise ValueError("is no time in ISO 8601 (state `format`)") from None
    return _in_utc(moment, zone)


def _in_utc(moment: datetime, zone: tzinfo | None) -> datetime:
    if moment.tzinfo is None:
        if zone is None:
            raise ValueError("names no zone: state `zone`, the one of these clocks")
        moment = moment.replace(tzinfo=zone)
        if zone is not UTC and _offset(moment.replace(tzinfo=None, minute=0, second=0, microsecond=0), zone) is None:
            _check_exists(moment, zone)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError(BEYOND) from None


@lru_cache(maxsize=4096)
def _offset(hour: datetime, zone: tzinfo) -> timedelta | None:
    """The offset of a whole hour in ``zone``, when it is that of the hours around it too, so that none was left out."""
    try:
        offsets = {(hour + timedelta(hours=ahead)).replace(tzinfo=zone).utcoffset() for ahead in (-25, 0, 25)}
    except OverflowError:
        return None
    return offsets.pop() if len(offsets) == 1 else None


def _check_exists(moment: datetime, zone: tzinfo) -> None:
    try:
        back = moment.astimezone(UTC).astimezone(zone)
    except OverflowError:
        return
    if back.replace(tzinfo=None) != moment.replace(tzinfo=None):
        name = zone.key if isinstance(zone, ZoneInfo) else str(zone)
        raise ValueError(f"is a time that no clock of {name} showed: they were set forward over it")


def _since_epoch(cell: Any, unit: int) -> datetime:
    try:
        since = Decimal(repr(cell) if isinstance(cell, float) else cell)  # of a text without the blanks around it
        most = min(since, BEYOND_ALL)  # a whole number of very many digits takes Python minutes
        return EPOCH + timedelta(microseconds=int(most * unit))
    except (ArithmeticError, TypeError, ValueError):
        raise ValueError("is no time since 1970") from None
