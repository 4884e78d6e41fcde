"""From events to labels, in Spark: who is active at each cutoff, and whether the event came again."""

from collections.abc import Sequence
from datetime import date

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from ml_modeling.examples import LABEL
from ml_modeling.use_case import Label

EVENT_TIMESTAMP = "event_timestamp"


def labelled_spine(spark: SparkSession, events: DataFrame, cutoffs: Sequence[date], label: Label) -> DataFrame:
    """One row an active entity and cutoff: the entity column, ``event_timestamp`` (the cutoff, UTC) and ``label``.

    ``events`` has ``event_date`` (UTC), the entity column and the columns of ``label.event``. Cutoffs are the starts of
    days and windows whole days, so that days decide: events are first reduced to the days an entity had one on.
    """
    moments = F.broadcast(spark.createDataFrame([(day,) for day in cutoffs], "cutoff date"))
    counted = events.where(_counts(label) & F.col(label.entity_column).isNotNull())
    days = counted.select(label.entity_column, "event_date").distinct()
    per_cutoff = (
        days.join(moments, _within(label))
        .groupBy(label.entity_column, F.col("cutoff").cast("timestamp").alias(EVENT_TIMESTAMP))
        .agg(
            F.max(F.col("event_date") < F.col("cutoff")).alias("is_active"),
            F.max(F.col("event_date") >= F.col("cutoff")).alias("came_again"),
        )
    )
    answer = F.when(F.col("came_again"), F.lit(label.event_means)).otherwise(F.lit(1 - label.event_means))
    return per_cutoff.where("is_active").select(label.entity_column, EVENT_TIMESTAMP, answer.alias(LABEL))


def sampled(spine: DataFrame, entity_column: str, max_rows: int) -> DataFrame:
    """``spine`` with about ``max_rows`` rows at most: entities are kept or left out whole, by a hash of their name."""
    rows = spine.count()
    if rows <= max_rows:
        return spine
    bucket = F.pmod(F.xxhash64(F.lit("training sample"), F.col(entity_column)), F.lit(1_000_000))
    return spine.where(bucket < int(1_000_000 * max_rows / rows))


def _counts(label: Label) -> Column:
    condition = F.lit(True)
    for column, value in label.event.items():
        condition = condition & (F.col(column) == F.lit(value))
    return condition


def _within(label: Label) -> Column:
    first = F.date_sub(F.col("cutoff"), label.active.days)
    end = F.date_add(F.col("cutoff"), label.horizon.days)
    return (F.col("event_date") >= first) & (F.col("event_date") < end)
