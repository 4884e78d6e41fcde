"""Messages to events: pure functions of the bronze row, so that a batch run again gives the same rows."""

from dataclasses import dataclass
from datetime import date
from functools import reduce
from operator import or_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812

from config.settings import Settings
from contracts.checker import Reason
from contracts.columns import Column as DataColumn
from contracts.columns import data_columns
from contracts.registry import Contract
from data_lake.tables import FIRST_GENERATION
from stream_processing.spark_streaming.classify import rejection
from stream_processing.spark_streaming.json_numbers import exact, widened

EVENT = "_event"
CORRUPT = "_corrupt"
MESSAGE = "_message_"


@dataclass(frozen=True)
class TimeRule:
    """Events before ``earliest`` (a UTC date) or more than ``latest_skew_s`` after the broker's time are refused."""

    earliest: date
    latest_skew_s: float

    @classmethod
    def of(cls, settings: Settings) -> "TimeRule":
        return cls(settings.stream.earliest_event, settings.stream.latest_skew_s)

    def breach(self) -> Column:
        """What is wrong with ``event_time`` beside ``broker_time``; null when nothing is."""
        time, broker_time = F.col("event_time"), F.col("broker_time")
        latest = F.timestamp_add("MICROSECOND", F.lit(round(self.latest_skew_s * 1_000_000)), broker_time)
        late = F.concat(F.lit("/time: "), time.cast("string"), F.lit(f" is before {self.earliest}"))
        early = F.concat(F.lit("/time: "), time.cast("string"), F.lit(" is after the broker's "), latest.cast("string"))
        return F.when(time < F.lit(self.earliest).cast("timestamp"), late).when(time > latest, early)


def parse(messages: DataFrame, source: Contract, rule: TimeRule) -> DataFrame:
    """Bronze rows to silver's columns, ``reason`` and ``detail`` (null for a good event), and the raw message.

    The message's columns come under the prefix ``_message_``; its key, value and headers only where there is a reason.
    The detail of an event that did not fit the columns is left to :func:`misfits`: every row runs through this code,
    and the JVM compiles no method of more than 8,000 bytes.
    """
    columns = data_columns(source)
    events = messages.withColumn("_rejection", rejection(source, F.col("value")))
    events = events.withColumn(EVENT, F.when(F.col("_rejection.reason").isNull(), _from_json(columns)))
    events = events.withColumns({f"_data_{c.name}": exact(F.col(f"{EVENT}.data.{c.name}"), c) for c in columns})
    events = events.withColumn("event_time", F.try_to_timestamp(F.translate(f"{EVENT}.time", "tz", "TZ")))
    valid = F.col("_rejection.reason").isNull()
    events = events.withColumns({"_misfit": valid & _misfit(columns), "_out_of_range": rule.breach()})
    return events.select(*_event_columns(columns), *_verdict(), *_message_columns())


def misfits(source: Contract) -> Column:
    """Which fields of a parsed row did not fit the columns, as the checker would name them."""
    text = F.col(f"{MESSAGE}value").cast("string")
    time = F.when(F.col("event_time").isNull(), F.lit("/time: is not a time that TIMESTAMP can hold"))
    fields = [
        F.when(
            F.col(c.name).isNull() & F.get_json_object(text, f"$['data']['{c.name}']").isNotNull(),
            F.lit(f"/data/{c.name}: does not fit {c.sql_type}"),
        )
        for c in data_columns(source)
    ]
    named = F.concat_ws("; ", time, *fields)
    return F.when(named != "", named).otherwise(F.lit(": too deep, too long or ambiguous for the lake's parser"))


def _from_json(columns: tuple[DataColumn, ...]) -> Column:
    data = ", ".join(f"`{c.name}`: {widened(c.sql_type)}" for c in columns)
    ddl = f"id STRING, source STRING, time STRING, data STRUCT<{data}>, {CORRUPT} STRING"
    return F.from_json(F.col("value").cast("string"), ddl, {"mode": "PERMISSIVE", "columnNameOfCorruptRecord": CORRUPT})


def _misfit(columns: tuple[DataColumn, ...]) -> Column:
    """Whether a valid event did not fit the columns: unparsed, without a time, or with a value lost on the way."""
    envelope = [F.col(f"{EVENT}.{name}").isNull() for name in ("id", "source")]
    required = [F.col(f"_data_{c.name}").isNull() for c in columns if not c.nullable]
    narrowed = [c.name for c in columns if c.nullable and widened(c.sql_type) != c.sql_type]
    lost = [F.col(f"{EVENT}.data.{name}").isNotNull() & F.col(f"_data_{name}").isNull() for name in narrowed]
    unparsed = F.col(f"{EVENT}.{CORRUPT}").isNotNull() | F.col("event_time").isNull()
    return reduce(or_, [unparsed, *envelope, *required, *lost])


def _verdict() -> tuple[Column, Column]:
    reason = F.coalesce(
        F.col("_rejection.reason"),
        F.when(F.col("_misfit"), F.lit(str(Reason.UNREPRESENTABLE))),
        F.when(F.col("_out_of_range").isNotNull(), F.lit(str(Reason.TIME_OUT_OF_RANGE))),
    )
    detail = F.coalesce(F.col("_rejection.detail"), F.when(~F.col("_misfit"), F.col("_out_of_range")))
    return reason.alias("reason"), detail.alias("detail")


def _event_columns(columns: tuple[DataColumn, ...]) -> list[Column]:
    envelope = {
        "event_id": F.col(f"{EVENT}.id"),
        "event_time": F.col("event_time"),
        "event_date": F.to_date("event_time"),
        "source": F.col(f"{EVENT}.source"),
    }
    generation = F.coalesce("generation", F.lit(FIRST_GENERATION))
    lineage = {"_generation": generation, "_partition": F.col("partition"), "_offset": F.col("offset")}
    month = {"event_month": F.date_format("event_time", "yyyy-MM")}
    data = {c.name: F.col(f"_data_{c.name}") for c in columns}
    kept = {name: F.col(name) for name in ("broker_time", "ingested_at")}
    return [column.alias(name) for name, column in {**envelope, **data, **lineage, **kept, **month}.items()]


def _message_columns() -> list[Column]:
    rejected = F.col("_misfit") | F.coalesce(F.col("_rejection.reason"), F.col("_out_of_range")).isNotNull()
    raw = [F.when(rejected, F.col(name)).alias(f"{MESSAGE}{name}") for name in ("key", "value", "headers")]
    return [*raw, *(F.col(name).alias(f"{MESSAGE}{name}") for name in ("topic", "ingest_date"))]
