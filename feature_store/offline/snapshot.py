"""Window features of everybody at one moment: one shuffle of the events, and the kernel where they arrive.

A training frame asks about each entity at times of its own, so rows and events have to be brought together, group after
group. At one moment nobody has to be asked: whoever has an event before it is in the answer, and is found where its
events are. So each table is read once for all groups that read it, its events are sent once to the task of their
entity, and all features are made there together.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from data_lake.tables import table
from feature_store.columns.arrow import floats
from feature_store.columns.derived import service_features
from feature_store.columns.events import Events, Features, Queries
from feature_store.definitions import FeatureGroup, FeatureService
from feature_store.definitions.windows import micros
from feature_store.kernel import compute
from feature_store.lake.silver import KNOWN, TIE, as_events, source_column
from feature_store.lake.spans import ENTITY, TIME
from feature_store.offline.spine import EVENT_TIMESTAMP, SpineError
from tidemill.config.settings import Settings

Batches = Iterable[pa.RecordBatch]
Groups = Sequence[FeatureGroup]
READING, CODE = "__tidemill_reading", "__tidemill_code"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Snapshot:
    """``events``, all of an entity in one partition, and what makes ``features`` of a partition's Arrow batches.

    The features have the ``key`` of the entity, a text, and a float64 each, by name; ``schema`` is theirs, in DDL.
    """

    events: DataFrame
    features: Callable[[Batches], Iterator[pa.RecordBatch]]
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
        SpineError: the service is about several entities, or has inputs, which a moment does not bring.
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
    """:func:`snapshot` before it is made, for what has more to do with the features where they are.

    Raises:
        SpineError: the service is about several entities, or has inputs.
    """
    key, readings = _key_of(service), _readings(service)
    tables = {
        source: _rows(spark, settings, source, (versions or {}).get(source))
        for source in {group.source.table for group in service.groups}
    }
    events = [_events(tables, groups, number, at, as_known) for number, groups in enumerate(readings)]
    # From the files' statistics: more than there are of events with an entity, before the moment.
    total = sum(rows.count() for rows in tables.values())
    partitions = int(spark.conf.get("spark.sql.shuffle.partitions") or 1)
    tasks = max(partitions, -(-total // settings.spark.events_a_task))
    together = reduce(lambda left, right: left.unionByName(right, allowMissingColumns=True), events)
    return Snapshot(
        together.repartition(tasks, ENTITY),
        _features(service, key, readings, micros(at - EPOCH), as_known),
        key,
        ", ".join([f"`{key}` STRING", *(f"`{name}` DOUBLE" for name in service.names)]),
    )


def _key_of(service: FeatureService) -> str:
    keys = {group.entity.key for group in service.groups}
    if len(keys) != 1:
        raise SpineError(f"{service.name}: a snapshot is of one entity, not of {', '.join(sorted(keys)) or 'none'}")
    if service.inputs:
        given = ", ".join(given.name for given in service.inputs)
        raise SpineError(f"{service.name}: a snapshot has no {given}, which a request brings: use training_frame")
    return keys.pop()


def _readings(service: FeatureService) -> list[Groups]:
    """The groups that read the same events."""
    readings: dict[object, list[FeatureGroup]] = {}
    for group in service.groups:
        readings.setdefault((group.source, group.entity_column), []).append(group)
    return list(readings.values())


def _rows(spark: SparkSession, settings: Settings, source: str, version: int | None) -> DataFrame:
    reader = spark.read.format("delta")
    if version is not None:
        reader = reader.option("versionAsOf", version)
    return reader.load(table(source).path(settings))


def _events(tables: Mapping[str, DataFrame], groups: Groups, number: int, at: datetime, as_known: bool) -> DataFrame:
    """What ``groups`` read of the events before ``at``."""
    source, entity = groups[0].source, groups[0].entity_column
    rows = tables[source.table]
    names = sorted({name for group in groups for name in group.columns})
    known = [F.unix_micros(source.known_time).alias(KNOWN)] if as_known else []
    return rows.where(F.col(entity).isNotNull() & (F.col(source.event_time) < F.lit(at))).select(
        F.col(entity).cast("string").alias(ENTITY),
        F.lit(number).cast("byte").alias(READING),
        F.unix_micros(source.event_time).alias(TIME),
        F.xxhash64(*source.tie_breaker).alias(TIE),
        *known,
        *(source_column(rows, source, name).alias(_column(number, name)) for name in names),
    )


def _column(number: int, name: str) -> str:
    """Tables may have columns of one name and different types."""
    return f"{number}_{name}"


def _features(
    service: FeatureService, key: str, readings: Sequence[Groups], moment: int, as_known: bool
) -> Callable[[Batches], Iterator[pa.RecordBatch]]:
    def made(batches: Batches) -> Iterator[pa.RecordBatch]:
        arrived = list(batches)
        if not arrived:
            return
        rows = pa.Table.from_batches(arrived).combine_chunks()
        entities = pc.dictionary_encode(rows[ENTITY]).combine_chunks()
        times = np.full(len(entities.dictionary), moment)
        queries = Queries(np.arange(len(times)), times, times if as_known else None)
        rows = rows.append_column(CODE, entities.indices.cast(pa.int64()))
        values: Features = {}
        for number, groups in enumerate(readings):
            own = rows.filter(pc.field(READING) == number) if len(readings) > 1 else rows
            for group in groups:
                values |= compute(group, _of_group(own, group, number), queries, service.read_of(group))
        found = service_features(service, values, times)
        arrays = [entities.dictionary, *(floats(numbers) for numbers in found.values())]
        yield pa.RecordBatch.from_arrays(arrays, names=[key, *found])

    return made


def _of_group(rows: pa.Table, group: FeatureGroup, number: int) -> Events:
    columns = {_column(number, name): name for name in group.columns}
    named = rows.rename_columns([columns.get(name, name) for name in rows.column_names])
    return as_events(named, group, named[CODE].to_numpy())
