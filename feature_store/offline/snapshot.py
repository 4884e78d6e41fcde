"""Window features of everybody at one moment: one shuffle of the events, and the kernel where they arrive.

A training frame asks about each entity at times of its own, so rows and events have to be brought together, group after
group. At one moment nobody has to be asked: whoever has an event before it is in the answer, and is found where its
events are. So all groups that read a table read it once, its events are sent once to the task of their entity, and all
features are made there together.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from feature_store.definitions import LIFETIME, FeatureService
from feature_store.definitions.windows import micros, tail
from feature_store.lake.silver import KNOWN, TIE, known_time, source_column, table_rows
from feature_store.lake.spans import ENTITY, TIME
from feature_store.offline.partition import READING, Groups, OfBatches, features_at, read_as, readings
from feature_store.offline.spine import EVENT_TIMESTAMP, SpineError
from tidemill.config.settings import Settings

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Snapshot:
    """``events``, all of an entity in one partition, and what makes ``features`` of a partition's Arrow batches.

    The features have the ``key`` of the entity, a text, and a float64 each, by name; ``schema`` is theirs, in DDL.
    """

    events: DataFrame
    features: OfBatches
    key: str
    schema: str


def snapshot(  # noqa: PLR0913 - what, where, and as of when
    spark: SparkSession,
    settings: Settings,
    service: FeatureService,
    at: datetime,
    *,
    as_known: bool = False,
    versions: Mapping[str, int] | None = None,
) -> DataFrame:
    """The features at ``at`` (aware) of every entity with an event before it, as ``training_frame`` has them.

    Raises:
        SpineError: the service is about several entities, or has inputs, which no moment brings.
    """
    taken = taken_at(spark, settings, service, at, as_known=as_known, versions=versions)
    rows = taken.events.mapInArrow(taken.features, taken.schema)
    return rows.select(taken.key, F.lit(at).alias(EVENT_TIMESTAMP), *service.names)


def taken_at(  # noqa: PLR0913 - what, where, and as of when
    spark: SparkSession,
    settings: Settings,
    service: FeatureService,
    at: datetime,
    *,
    as_known: bool = False,
    versions: Mapping[str, int] | None = None,
) -> Snapshot:
    """:func:`snapshot` in its parts, for what goes on with the features in the task that makes them.

    Raises:
        SpineError: as there.
    """
    key = _key_of(service)
    names = {group.source.table for group in service.groups}
    tables = {name: table_rows(spark, settings, name, (versions or {}).get(name)) for name in names}
    events = [_events(tables, groups, number, at, as_known) for number, groups in enumerate(readings(service))]
    together = reduce(lambda left, right: left.unionByName(right, allowMissingColumns=True), events)
    return Snapshot(
        together.repartition(_tasks(spark, settings, tables), ENTITY),
        features_at(micros(at - EPOCH), service, key, as_known=as_known),
        key,
        ", ".join([f"`{key}` STRING", *(f"`{name}` DOUBLE" for name in service.names)]),
    )


def _key_of(service: FeatureService) -> str:
    if len(service.keys) != 1:
        raise SpineError(f"{service.name}: a snapshot is of one entity, not of {', '.join(service.keys) or 'none'}")
    if service.inputs:
        given = ", ".join(given.name for given in service.inputs)
        raise SpineError(f"{service.name}: a snapshot has no {given}, which a request brings: use training_frame")
    return service.keys[0]


def _tasks(spark: SparkSession, settings: Settings, tables: Mapping[str, DataFrame]) -> int:
    """Into how many tasks all rows of the tables fit, which Delta counts by its files' statistics."""
    total = sum(rows.count() for rows in tables.values())
    partitions = int(spark.conf.get("spark.sql.shuffle.partitions") or 1)
    return max(partitions, -(-total // settings.spark.events_a_task))


def _events(tables: Mapping[str, DataFrame], groups: Groups, number: int, at: datetime, as_known: bool) -> DataFrame:
    """What ``groups`` read of the events before ``at``, and one event of whoever has none that a window reaches."""
    source, entity = groups[0].source, groups[0].entity_column
    rows, happened = tables[source.table], F.col(source.event_time)
    names = sorted({name for group in groups for name in group.columns})
    numbers = {READING: F.lit(number), TIME: F.unix_micros(happened), TIE: F.xxhash64(*source.tie_breaker)}
    numbers |= {KNOWN: known_time(source)} if as_known else {}
    columns = [
        F.col(entity).cast("string").alias(ENTITY),
        *(column.alias(name) for name, column in numbers.items()),
        *(source_column(rows, source, name).alias(read_as(number, name)) for name in names),
    ]
    before = rows.where(F.col(entity).isNotNull() & (happened < F.lit(at)))
    longest = max(feature.window for group in groups for feature in group.features)
    if longest == LIFETIME:
        return before.select(*columns)
    reached = F.timestamp_micros(F.lit(int(tail(micros(at - EPOCH), longest))))
    firsts = (F.min(name).alias(name) for name in numbers)
    unreached = before.where(happened < reached).select(*columns).groupBy(ENTITY).agg(*firsts)
    return before.where(happened >= reached).select(*columns).unionByName(unreached, allowMissingColumns=True)
