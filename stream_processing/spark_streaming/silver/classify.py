"""The contract's judgement of a message, run over Arrow batches: the event in the columns' types, or the reason."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
from pyspark.sql import Column
from pyspark.sql.pandas.functions import arrow_udf

from tidemill.contracts.checker import Checker, Rejection
from tidemill.contracts.columns import ArrayType, ColumnType, DecimalType, MapType, data_ddl, data_types
from tidemill.contracts.registry import Contract

ENVELOPE = "reason STRING, detail STRING, event_id STRING, source STRING, event_time TIMESTAMP, digest BIGINT"
TIME = pa.timestamp("us", tz="UTC")
ARROW = {
    "BIGINT": pa.int64(),
    "DOUBLE": pa.float64(),
    "BOOLEAN": pa.bool_(),
    "STRING": pa.string(),
    "TIMESTAMP": TIME,
}


def read_events(source: Contract, value: Column) -> Column:
    """``struct(reason, detail, event_id, source, event_time, digest, data)`` of a message value.

    For a valid event of ``source`` the first two are null, for another message the rest. The contract travels with the
    function, so that an executor judges by the driver's contract.
    """

    def read(batches: Iterator[pa.Array]) -> Iterator[pa.Array]:
        checker, kinds = Checker(source), data_types(source)
        types = {name: arrow_type(kind) for name, kind in kinds.items()}
        for values in batches:
            yield judged(checker, types, values)

    # The hints of read tell PySpark which kind of function it is; its stubs ask for the kind as an argument too.
    return arrow_udf(read, f"{ENVELOPE}, data STRUCT<{data_ddl(source)}>")(value)  # type: ignore[call-overload, no-any-return]


def judged(checker: Checker, types: Mapping[str, pa.DataType], values: pa.Array) -> pa.StructArray:
    """The columns of :func:`read_events` for ``values`` (binary, n); ``types`` are those of the data's columns."""
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
