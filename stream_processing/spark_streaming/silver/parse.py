"""Messages to events: a pure function of bronze's rows, so that a batch run again gives the same rows.

It works on Arrow's columns: Spark's executors run it, whatever the size of a batch and the number of topics.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyspark.sql import DataFrame

from data_lake.tables import FIRST_GENERATION, silver_columns
from stream_processing.spark_streaming.silver.classify import TIME, arrow_type, judged
from tidemill.config.settings import Settings
from tidemill.contracts.checker import Checker, Reason
from tidemill.contracts.columns import data_types
from tidemill.contracts.registry import Contract

# No property begins with an underscore, so none is called like these.
REASON, DETAIL = "_reason", "_detail"
MESSAGE = "_message_"
RAW = ("key", "value", "headers")
READ = ("topic", "partition", "offset", "broker_time", *RAW, "ingested_at", "ingest_date", "generation")
MESSAGE_DDL = (
    f"{REASON} STRING, {DETAIL} STRING, {MESSAGE}key BINARY, {MESSAGE}value BINARY, "
    f"{MESSAGE}headers ARRAY<STRUCT<key: STRING, value: BINARY>>, {MESSAGE}topic STRING, {MESSAGE}ingest_date DATE"
)
SECOND = 1_000_000
DAY = 86_400 * SECOND
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class TimeRule:
    """Events before ``earliest`` (a UTC date) or more than ``latest_skew_s`` after the broker's time are refused."""

    earliest: date
    latest_skew_s: float

    @classmethod
    def of(cls, settings: Settings) -> "TimeRule":
        return cls(settings.stream.earliest_event, settings.stream.latest_skew_s)

    def breaches(self, times: pa.Array, broker_times: pa.Array) -> pa.Array:
        """What is wrong with each event's time beside the broker's (timestamps, n); null when nothing is."""
        time, valid = _micros(times), np.asarray(times.is_valid())
        latest = _micros(broker_times) + round(self.latest_skew_s * SECOND)
        is_late = valid & (time < (self.earliest - EPOCH.date()).days * DAY)
        is_early = valid & (time > latest)
        details: list[str | None] = [None] * len(times)
        for row in np.flatnonzero(is_early):
            details[row] = f"/time: {_text(time[row])} is after the broker's {_text(latest[row])}"
        for row in np.flatnonzero(is_late):
            details[row] = f"/time: {_text(time[row])} is before {self.earliest}"
        return pa.array(details, pa.string())


@dataclass(frozen=True)
class Parser:
    """Judges messages of one topic; the contract travels with it, so that an executor judges by the driver's."""

    source: Contract
    rule: TimeRule

    @property
    def ddl(self) -> str:
        """The columns of what :meth:`parse` gives, as Spark calls them: silver's, REASON, DETAIL, and the message's."""
        return ", ".join([*(f"`{one.name}` {one.sql_type}" for one in silver_columns(self.source)), MESSAGE_DDL])

    @cached_property
    def _types(self) -> dict[str, pa.DataType]:
        return {name: arrow_type(kind) for name, kind in data_types(self.source).items()}

    @cached_property
    def _checker(self) -> Checker:
        return Checker(self.source)

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield self.parse(batch)

    def parse(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """Bronze's ``rows`` in silver's columns, with ``_reason`` and ``_detail``, null for a good event.

        The message's columns come under the prefix ``_message_``: key, value and headers only where there is a reason.
        """
        event = judged(self._checker, self._types, rows["value"])
        time, data = event.field("event_time"), event.field("data")
        breaches = self.rule.breaches(time, rows["broker_time"])
        out_of_range = pc.if_else(breaches.is_valid(), str(Reason.TIME_OUT_OF_RANGE), pa.scalar(None, pa.string()))
        reason = pc.coalesce(event.field("reason"), out_of_range)
        days = _days(time)
        events = {
            "event_id": event.field("event_id"),
            "event_time": time,
            "event_date": days,
            "source": event.field("source"),
            **{name: data.field(position) for position, name in enumerate(self._types)},
            "_generation": pc.fill_null(rows["generation"], FIRST_GENERATION),
            "_digest": event.field("digest"),
            "_partition": rows["partition"],
            "_offset": rows["offset"],
            "broker_time": rows["broker_time"],
            "ingested_at": rows["ingested_at"],
            "event_month": _months(days),
        }
        kept = pa.array(np.arange(len(rows)), mask=~np.asarray(reason.is_valid()))
        message = {f"{MESSAGE}{name}": rows[name].take(kept) for name in RAW}
        message |= {f"{MESSAGE}{name}": rows[name] for name in ("topic", "ingest_date")}
        columns = {**events, REASON: reason, DETAIL: pc.coalesce(event.field("detail"), breaches), **message}
        return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))


def parse(messages: DataFrame, source: Contract, rule: TimeRule) -> DataFrame:
    """Bronze's rows as :meth:`Parser.parse` makes them."""
    parser = Parser(source, rule)
    return messages.select(*READ).mapInArrow(parser, parser.ddl)


def _micros(times: pa.Array) -> NDArray[np.int64]:
    """Microseconds since 1970; 0 for null."""
    found: NDArray[np.int64] = times.cast(TIME).cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    return found


def _days(times: pa.Array) -> pa.Array:
    days = (_micros(times) // DAY).astype(np.int32)
    return pa.array(days, mask=~np.asarray(times.is_valid())).cast(pa.date32())


def _months(days: pa.Array) -> pa.Array:
    """Each day's month, such as 2024-05."""
    numbers = days.cast(pa.int32()).fill_null(0).to_numpy(zero_copy_only=False)
    unique, positions = np.unique(numbers.astype("datetime64[D]").astype("datetime64[M]"), return_inverse=True)
    texts = pa.array(np.datetime_as_string(unique), pa.string())
    return texts.take(pa.array(positions, mask=~np.asarray(days.is_valid())))


def _text(micros: Any) -> str:
    """A time as SQL writes it."""
    text = (EPOCH + timedelta(microseconds=int(micros))).replace(tzinfo=None).isoformat(sep=" ")
    return text.rstrip("0") if "." in text else text
