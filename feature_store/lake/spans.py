"""Cutting the few entities with very many events into spans of time, so that none of them holds a task by itself.

Queries go to the span that their time lies in. An event goes to every span whose windows reach it: its own, and those
that follow as far as the longest window looks back (a lifetime window reaches every event before).
"""

from datetime import timedelta

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql.types import ArrayType, LongType, StructField, StructType

from feature_store.definitions import FeatureGroup
from feature_store.definitions.windows import tail

ENTITY, TIME, SPAN = "__tidemill_entity", "__tidemill_time", "__tidemill_span"
CUTS, REACH = "__tidemill_cuts", "__tidemill_reach"
ACCURACY = 10_000
HASHES = 1 << 16


def with_spans(
    spine: DataFrame, events: DataFrame, group: FeatureGroup, events_a_task: int
) -> tuple[DataFrame, DataFrame, int]:
    """Spine and events with a span each, and into how many tasks their entities and spans fit."""
    # By hashes first, which is enough where no task's worth of events shares one: no entity has to be counted then.
    crowd, total = _sizes(events, F.pmod(F.xxhash64(ENTITY), F.lit(HASHES)))
    partitions = int(events.sparkSession.conf.get("spark.sql.shuffle.partitions") or 1)
    tasks = max(partitions, -(-total // events_a_task))
    largest = crowd if crowd <= events_a_task else _sizes(events, F.col(ENTITY))[0]
    if largest <= events_a_task:
        return spine.withColumn(SPAN, F.lit(0)), events.withColumn(SPAN, F.lit(0)), tasks
    whales = events.groupBy(ENTITY).count().where(F.col("count") > events_a_task)
    cuts = _cuts(events, whales, group, -(-largest // events_a_task))
    queries = spine.join(F.broadcast(cuts), ENTITY, "left").withColumn(SPAN, _reached(CUTS)).drop(CUTS, REACH)
    spans = F.explode(F.sequence(_reached(CUTS), _reached(REACH)))
    history = events.join(F.broadcast(cuts), ENTITY, "left").withColumn(SPAN, spans).drop(CUTS, REACH)
    return queries, history, tasks


def _sizes(events: DataFrame, key: Column) -> tuple[int, int]:
    """How many events the most frequent ``key`` has, and how many there are."""
    counts = events.groupBy(key).agg(F.count(F.lit(1)).alias("events"))
    largest, total = counts.agg(F.max("events"), F.sum("events")).collect()[0]
    return largest or 0, total or 0


def _cuts(events: DataFrame, whales: DataFrame, group: FeatureGroup, spans: int) -> DataFrame:
    """For each of ``whales`` the times that cut its events into equal parts, and how far back each part reaches.

    There are at most as many whales as ``events_a_task`` goes into the number of events: few enough for the driver.
    """
    shares = F.array(*(F.lit(part / spans) for part in range(1, spans)))
    of_whales = events.join(F.broadcast(whales.select(ENTITY)), ENTITY)
    found = of_whales.groupBy(ENTITY).agg(F.percentile_approx(TIME, shares, ACCURACY).alias(CUTS)).collect()
    longest = max(feature.window for feature in group.features)
    rows = [(row[ENTITY], row[CUTS], [_reach(cut, longest) for cut in row[CUTS]]) for row in found]
    times = ArrayType(LongType())
    schema = StructType([events.schema[ENTITY], StructField(CUTS, times), StructField(REACH, times)])
    return events.sparkSession.createDataFrame(rows, schema)


def _reach(cut: int, window: timedelta) -> int:
    return int(tail(cut, window))


def _reached(column: str) -> Column:
    """How many of the times in ``column`` are not after the row's; 0 where there are none."""
    passed = F.filter(column, lambda cut: cut <= F.col(TIME))
    return F.when(F.col(column).isNull(), 0).otherwise(F.size(passed))
