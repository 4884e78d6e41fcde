"""What silver's columns should hold of a message: its JSON read once more, without the judge.

Only two things are taken from elsewhere: which columns the contract has, and of which Arrow type silver's are.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Context, Decimal
from typing import Any

import pyarrow as pa

from tidemill.contracts.columns import data_columns
from tidemill.contracts.registry import Contract

DECODER = json.JSONDecoder(parse_float=Decimal)
EXACT = Context(prec=2_000)
"""More digits than a message that was accepted has in a number, so nothing is rounded."""


@dataclass(frozen=True)
class Compared:
    """A column of silver: what it has, what it should have (both SQL), and whether a contract of before had it not."""

    name: str
    held: str
    sent: str
    may_lack: bool


@dataclass(frozen=True)
class SentColumn:
    """A property of the contract; ``type`` is None where silver has no column of it yet."""

    name: str
    type: pa.DataType | None
    may_lack: bool

    def values(self, sent: Sequence[Any]) -> tuple[pa.Array, list[bool]]:
        """``sent``, which are values of JSON, in the column's type, and which of them it cannot hold."""
        if self.type is None:
            return pa.array([None if value is None else True for value in sent], pa.bool_()), [False] * len(sent)
        convert = _converter(self.type)
        try:
            converted = sent if convert is None else [None if value is None else convert(value) for value in sent]
            return pa.array(converted, self.type), [False] * len(sent)
        except (ArithmeticError, TypeError, ValueError):
            return self._each(sent)

    def _each(self, sent: Sequence[Any]) -> tuple[pa.Array, list[bool]]:
        if len(sent) == 1:
            return pa.nulls(1, self.type), [True]
        parts = [self.values([value]) for value in sent]
        return pa.concat_arrays([array for array, _ in parts]), [flag for _, flags in parts for flag in flags]


def read(message: bytes) -> dict[str, Any]:
    """The event that a valid ``message`` says, its numbers exactly."""
    event: dict[str, Any] = DECODER.raw_decode(message.decode().lstrip(" \t\r\n"))[0]
    return event


class SentValues:
    """The columns of silver that say what a message said, and what they should hold of messages."""

    def __init__(self, source: Contract, silver: pa.Schema) -> None:
        types = dict(zip(silver.names, silver.types, strict=True))
        self.columns = [
            SentColumn(column.name, types.get(column.name), column.nullable) for column in data_columns(source)
        ]

    def compared(self) -> list[Compared]:
        """Every column of silver but those by which its rows are found: identity, time and place."""
        of_data = [
            Compared(
                column.name,
                "NULL::BOOLEAN" if column.type is None else _in_order(_quoted(column.name), column.type),
                f'"sent_{column.name}"' if column.type is None else _in_order(f'"sent_{column.name}"', column.type),
                column.may_lack,
            )
            for column in self.columns
        ]
        return [*of_data, *ENVELOPE]

    def table(self, events: Sequence[Mapping[str, Any]]) -> pa.Table:
        """``sent_<name>`` of each column, n rows, and ``misfits``: names of the columns that cannot hold the value.

        ``events`` are the ``data`` of messages.
        """
        misfits: list[list[str]] = [[] for _ in events]
        arrays: dict[str, pa.Array] = {}
        for column in self.columns:
            arrays[f"sent_{column.name}"], is_misfit = column.values([data.get(column.name) for data in events])
            for names in (names for names, flag in zip(misfits, is_misfit, strict=True) if flag):
                names.append(column.name)
        return pa.table({**arrays, "misfits": pa.array(misfits, pa.list_(pa.string()))})


ENVELOPE = (
    Compared("event_date", "event_date", "make_timestamp(time)::DATE", False),
    Compared("event_month", "event_month", "left(make_timestamp(time)::DATE::VARCHAR, 7)", False),
    Compared("broker_time", "broker_time", "sent_broker_time", False),
    Compared("_digest", "nullif(_digest, 0)", "sent__digest", True),
)
"""The columns beside ``data``, given ``time`` of the message in microseconds, and bronze's broker time of it.

Not when it came into the lake: bronze that is read again from the broker has it from then.
"""


def digest_of(values: Sequence[str], misfits: str) -> str:
    """SQL: 64 bits of ``values`` and of whether all fit."""
    return f"hash({', '.join(values)}, {misfits})"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _in_order(value: str, kind: pa.DataType, depth: int = 0) -> str:
    """SQL for ``value`` with the entries of its maps sorted, since the order of keys says nothing."""
    item = f"item{depth}"
    if pa.types.is_map(kind):
        inner = _in_order(f"{item}.value", kind.item_type, depth + 1)
        entries = f"map_entries({value})"
        if inner != f"{item}.value":
            entries = f"list_transform({entries}, lambda {item}: {{'key': {item}.key, 'value': {inner}}})"
        return f"list_sort({entries})"
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        inner = _in_order(item, kind.value_type, depth + 1)
        return value if inner == item else f"list_transform({value}, lambda {item}: {inner})"
    return value


def _converter(kind: pa.DataType) -> Callable[[Any], Any] | None:
    """How a value of JSON becomes one that Arrow takes for ``kind`` without changing it; None where it is one."""
    if pa.types.is_map(kind):
        of_items = _converter(kind.item_type)
        return lambda value: [(key, _or_null(item, of_items)) for key, item in value.items()]
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        of_items = _converter(kind.value_type)
        return None if of_items is None else lambda value: [_or_null(item, of_items) for item in value]
    return next((convert for is_kind, convert in CONVERTERS if is_kind(kind)), None)


def _or_null(value: Any, convert: Callable[[Any], Any] | None) -> Any:
    return value if value is None or convert is None else convert(value)


def _whole(value: int | Decimal) -> int:
    number = int(value)
    if number != value:
        raise ValueError(f"{value} is not whole")
    return number


def _short(value: int | Decimal) -> int | Decimal:
    """Without zeros at the end, which Arrow counts as digits that do not fit."""
    return value if isinstance(value, int) else value.normalize(EXACT)


def _instant(text: str) -> datetime:
    """An RFC 3339 time; digits beyond microseconds are cut."""
    return datetime.fromisoformat(text.upper()).astimezone(UTC)


CONVERTERS: tuple[tuple[Callable[[pa.DataType], bool], Callable[[Any], Any]], ...] = (
    (pa.types.is_integer, _whole),
    (pa.types.is_floating, float),
    (pa.types.is_decimal, _short),
    (pa.types.is_timestamp, _instant),
)
