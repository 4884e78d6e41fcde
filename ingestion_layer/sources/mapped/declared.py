"""A mapping as it is declared: the keys of ``sources/<name>.yaml``, and nothing of what they refer to."""

from typing import Annotated, Any
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr, field_validator

from tidemill.config.errors import nearest

ISO, EPOCHS = "iso", {"epoch_s": 1_000_000, "epoch_ms": 1_000, "epoch_us": 1}
"""How times may be written beside a format of strptime; of the epochs, microseconds in one unit."""

RECEIVED = "@received"
"""The column of a page that is polled that says when it came."""

Name = Annotated[str, Field(min_length=1)]
Scalar = StrictBool | StrictInt | StrictStr | float | None


class _Declared(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Time(_Declared):
    """Which column says when it happened."""

    column: Name
    format: Name = ISO


class Column(_Declared):
    """What becomes of a column; ``values`` are other values for texts that are in it."""

    property: Name
    format: Name = ISO
    values: dict[StrictStr, Scalar] = Field(default_factory=dict)
    strip: bool = False
    whole: bool = False


class Csv(_Declared):
    """``header`` false or a list: the file has none, and these are its columns."""

    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    quote: Annotated[str, Field(min_length=1, max_length=1)] = '"'
    encoding: Name = "utf-8-sig"
    header: Annotated[list[Name], Field(min_length=1)] | None = None

    @field_validator("encoding")
    @classmethod
    def _is_known(cls, encoding: str) -> str:
        try:
            "".encode(encoding)
        except LookupError:
            raise ValueError(f"{encoding!r} is no encoding that Python knows, such as utf-8 or latin-1") from None
        return encoding


class Xlsx(_Declared):
    """``header_row`` as a person counts; everything above it is left out."""

    sheet: Name | None = None
    header_row: Annotated[int, Field(ge=1)] = 1


class Numbers(_Declared):
    """How numbers are written in texts."""

    decimal: Annotated[str, Field(min_length=1, max_length=1)] = "."
    thousands: Annotated[str, Field(max_length=1)] = ""


class Table(_Declared):
    """Which relational table, and the column that grows whenever a row is written (none: the table is read whole).

    Rows down to ``overlap`` below the last value are read again: seconds of a time, else what the column counts.
    """

    name: Name
    updated: Name | None = None
    overlap: Annotated[float, Field(ge=0)] = 300.0


class Poll(_Declared):
    """Where in a page the list of rows is: the keys on the way to it with points between them; none: it is the page."""

    rows: Name | None = None


class Declared(_Declared):
    contract: Name
    source: Name | None = None
    description: str = ""
    id: list[Name] = Field(default_factory=list)
    time: Time
    zone: str | None = None
    columns: dict[StrictStr, Column] = Field(min_length=1)
    constants: dict[StrictStr, Any] = Field(default_factory=dict)
    null_tokens: list[StrictStr] = Field(default_factory=lambda: [""])
    numbers: Numbers = Numbers()
    csv: Csv = Csv()
    xlsx: Xlsx = Xlsx()
    table: Table | None = None
    poll: Poll = Poll()

    @field_validator("columns", mode="before")
    @classmethod
    def _in_long(cls, columns: Any) -> Any:
        """``Quantity: quantity`` is short for ``Quantity: {property: quantity}``."""
        if not isinstance(columns, dict):
            return columns
        return {name: {"property": said} if isinstance(said, str) else said for name, said in columns.items()}

    @field_validator("zone")
    @classmethod
    def _is_zone(cls, zone: str | None) -> str | None:
        if zone is not None and zone not in available_timezones():
            raise ValueError(f"{zone!r} is no time zone{nearest(zone, sorted(available_timezones()))[:80]}")
        return zone

    @property
    def zone_info(self) -> ZoneInfo | None:
        return ZoneInfo(self.zone) if self.zone else None
