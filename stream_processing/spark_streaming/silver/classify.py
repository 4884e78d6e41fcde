"""The contract's judgement of messages in Arrow's columns: the event in the columns' types, or the reason."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from tidemill.contracts.checker import Checker, Rejection
from tidemill.contracts.columns import ArrayType, ColumnType, DecimalType, MapType

TIME = pa.timestamp("us", tz="UTC")
ARROW = {
    "BIGINT": pa.int64(),
    "DOUBLE": pa.float64(),
    "BOOLEAN": pa.bool_(),
    "STRING": pa.string(),
    "TIMESTAMP": TIME,
}


def judged(checker: Checker, types: Mapping[str, pa.DataType], values: pa.Array) -> pa.StructArray:
    """``struct(reason, detail, event_id, source, event_time, digest, data)`` of message values (binary, n).

    For a valid event the first two are null, for another message the rest. ``types`` are those of the data's columns.
    """
    no_event = (None, None, None, None, (None,) * len(types))
    events: list[Any] = list(map(checker.read, values.to_pylist()))
    reasons: list[str | None] = [None] * len(events)
    details = reasons.copy()
    for index, verdict in enumerate(events):
        if isinstance(verdict, Rejection):
            reasons[index], details[index], events[index] = verdict.reason.value, verdict.detail, no_event
    event_id, source, time, digest, data = _transposed(events, 5)
    envelope = {
        "reason": pa.array(reasons, pa.string()),
        "detail": pa.array(details, pa.string()),
        "event_id": pa.array(event_id, pa.string()),
        "source": pa.array(source, pa.string()),
        "event_time": pa.array(time, TIME),
        "digest": pa.array(digest, pa.int64()),
    }
    columns = zip(_transposed(data, len(types)), types.values(), strict=True)
    fields = pa.StructArray.from_arrays([pa.array(column, kind) for column, kind in columns], names=list(types))
    return pa.StructArray.from_arrays([*envelope.values(), fields], names=[*envelope, "data"])


def arrow_type(kind: ColumnType) -> pa.DataType:
    """How Arrow calls a column's type."""
    match kind:
        case DecimalType(precision, scale):
            return pa.decimal128(precision, scale)
        case ArrayType(items):
            return pa.list_(arrow_type(items))
        case MapType(values):
            return pa.map_(pa.string(), arrow_type(values))
    return ARROW[kind.sql]


def _transposed(rows: Sequence[Sequence[Any]], width: int) -> list[Sequence[Any]]:
    return list(zip(*rows, strict=True)) if rows else [()] * width
