"""Messages to events: pure functions of the bronze row, so that a batch run again gives the same rows."""

from dataclasses import dataclass
from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812

from data_lake.tables import FIRST_GENERATION
from stream_processing.spark_streaming.silver.classify import read_events
from tidemill.config.settings import Settings
from tidemill.contracts.checker import Reason
from tidemill.contracts.columns import data_columns
from tidemill.contracts.registry import Contract

# No property begins with an underscore, so none is called like these.
EVENT = "_event"
REASON, DETAIL = "_reason", "_detail"
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
    """Bronze rows to silver's columns, ``_reason`` and ``_detail`` (null for a good event), and the raw message.

    The message's columns come under the prefix ``_message_``; its key, value and headers only where there is a reason.
    """
    events = messages.withColumn(EVENT, read_events(source, F.col("value")))
    events = events.withColumn("event_time", F.col(f"{EVENT}.event_time"))
    events = events.withColumn("_out_of_range", rule.breach())
    return events.select(*_event_columns(source), *_verdict(), *_message_columns())


def _verdict() -> tuple[Column, Column]:
    out_of_range = F.when(F.col("_out_of_range").isNotNull(), F.lit(str(Reason.TIME_OUT_OF_RANGE)))
    return (
        F.coalesce(f"{EVENT}.reason", out_of_range).alias(REASON),
        F.coalesce(f"{EVENT}.detail", "_out_of_range").alias(DETAIL),
    )


def _event_columns(source: Contract) -> list[Column]:
    envelope = {
        "event_id": F.col(f"{EVENT}.event_id"),
        "event_time": F.col("event_time"),
        "event_date": F.to_date("event_time"),
        "source": F.col(f"{EVENT}.source"),
    }
    data = {column.name: F.col(f"{EVENT}.data.`{column.name}`") for column in data_columns(source)}
    lineage = {
        "_generation": F.coalesce("generation", F.lit(FIRST_GENERATION)),
        "_digest": F.col(f"{EVENT}.digest"),
        "_partition": F.col("partition"),
        "_offset": F.col("offset"),
        "broker_time": F.col("broker_time"),
        "ingested_at": F.col("ingested_at"),
        "event_month": F.date_format("event_time", "yyyy-MM"),
    }
    return [column.alias(name) for name, column in {**envelope, **data, **lineage}.items()]


def _message_columns() -> list[Column]:
    rejected = F.coalesce(f"{EVENT}.reason", "_out_of_range").isNotNull()
    raw = [F.when(rejected, F.col(name)).alias(f"{MESSAGE}{name}") for name in ("key", "value", "headers")]
    return [*raw, *(F.col(name).alias(f"{MESSAGE}{name}") for name in ("topic", "ingest_date"))]
