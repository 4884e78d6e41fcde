"""Window features of many entities at many times, point-in-time correct, computed by Spark with the kernel.

Spine and events are partitioned together by the hash of the entity, and for each partition the kernel computes all
features over columns: no row passes through Python by itself, and nothing through the driver. An entity with more
events than a task should hold is cut into spans of time (``feature_store.spans``).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import reduce

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql.types import DoubleType, StructField, StructType

from config.errors import TerminalError
from config.settings import Settings
from feature_store.arrow import floats
from feature_store.definitions import Derived, Feature, FeatureGroup, FeatureService
from feature_store.derived import service_features
from feature_store.events import Ints, Queries
from feature_store.kernel import compute
from feature_store.silver import KNOWN, TIE, as_events, silver_events
from feature_store.spans import ENTITY, SPAN, TIME, with_spans

EVENT_TIMESTAMP = "event_timestamp"
KNOWN_UNTIL, ASKED, HAPPENED = "_known_until", "_asked", "_happened"
ROWS_A_BATCH = 10_000
EventsOf = Callable[[FeatureGroup], DataFrame]
KnownUntil = Callable[[FeatureGroup], Column]
Kernel = Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]


class SpineError(TerminalError):
    """A spine that cannot be joined; the message names the column."""


def training_frame(
    spine: DataFrame,
    service: FeatureService,
    settings: Settings,
    *,
    as_known: bool = False,
    versions: Mapping[str, int] | None = None,
) -> DataFrame:
    """``spine`` with the features of ``service``: each row's are those of its entity at its ``event_timestamp``.

    The spine has a column for the key of each entity, the time, and the inputs of derived features; its other columns
    are kept. A feature without a value is null. With ``as_known`` an event counts from when the lake had it;
    ``versions`` says at which version to read a table.

    Raises:
        SpineError: a column is missing, or would be written over.
    """

    def events_of(group: FeatureGroup) -> DataFrame:
        return silver_events(spine.sparkSession, settings, group, (versions or {}).get(group.source.table))

    known_until: KnownUntil | None = (lambda _: F.col(TIME)) if as_known else None
    return features_at(spine, service, events_of, known_until, settings.spark.events_a_task)


def features_at(
    spine: DataFrame,
    service: FeatureService,
    events_of: EventsOf,
    known_until: KnownUntil | None,
    events_a_task: int,
) -> DataFrame:
    """:func:`training_frame` over given events, in the columns of ``feature_store.silver``.

    An event counts for a row when its known time is not above what ``known_until`` makes of the row.

    Raises:
        SpineError: a column is missing, or would be written over.
    """
    _check(spine, service)
    timeless = F.raise_error(F.lit(f"the spine has a row without {EVENT_TIMESTAMP}"))
    timed = spine.withColumn(TIME, F.coalesce(F.unix_micros(EVENT_TIMESTAMP), timeless))

    def with_group(frame: DataFrame, group: FeatureGroup) -> DataFrame:
        return _with_group(frame, group, service.read_of(group), events_of(group), known_until, events_a_task)

    return _with_derived(reduce(with_group, service.groups, timed), spine.schema, service)


def snapshot(
    spark: SparkSession, settings: Settings, service: FeatureService, at: datetime, *, as_known: bool = False
) -> DataFrame:
    """The features at ``at`` (aware) of every entity with an event before it."""
    groups = service.groups
    keys = {group.entity.key for group in groups}
    if len(keys) > 1:
        raise SpineError(f"{service.name}: a snapshot is of one entity, not of {', '.join(sorted(keys))}")
    (key,) = keys
    seen = [silver_events(spark, settings, group).where(F.col(TIME) < F.unix_micros(F.lit(at))) for group in groups]
    entities = reduce(DataFrame.union, (one.select(F.col(ENTITY).alias(key)) for one in seen)).distinct()
    spine = entities.withColumn(EVENT_TIMESTAMP, F.lit(at))
    return training_frame(spine, service, settings, as_known=as_known)


def _check(spine: DataFrame, service: FeatureService) -> None:
    needed = [group.entity.key for group in service.groups] + [EVENT_TIMESTAMP, *(one.name for one in service.inputs)]
    if missing := [name for name in dict.fromkeys(needed) if name not in spine.columns]:
        raise SpineError(f"the spine has no column {', '.join(missing)}; it has {', '.join(spine.columns)}")
    if taken := [name for name in service.names if name in spine.columns]:
        raise SpineError(f"the spine has a column {', '.join(taken)} already, which is a feature of {service.name}")


def _with_group(  # noqa: PLR0913, PLR0917 - what, of whom, and as of when
    spine: DataFrame,
    group: FeatureGroup,
    features: Sequence[Feature],
    events: DataFrame,
    known_until: KnownUntil | None,
    events_a_task: int,
) -> DataFrame:
    schema = StructType([*spine.schema, *(StructField(feature.name, DoubleType()) for feature in features)])
    known = known_until(group) if known_until else F.lit(None)
    queries, history, tasks = with_spans(
        spine.withColumns({ENTITY: F.col(group.entity.key), KNOWN_UNTIL: known.cast("long")}),
        events,
        group,
        events_a_task,
    )
    asked = queries.select(ENTITY, SPAN, TIME, KNOWN_UNTIL, F.struct(*spine.columns).alias(ASKED))
    happened = history.select(ENTITY, SPAN, TIME, F.struct(KNOWN, TIE, *group.columns).alias(HAPPENED))
    both = asked.unionByName(happened, allowMissingColumns=True).repartition(tasks, ENTITY, SPAN)
    return both.mapInArrow(_kernel(group, features, known_until is not None), schema)


def _kernel(group: FeatureGroup, features: Sequence[Feature], as_known: bool) -> Kernel:
    def values(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        if not (parts := list(batches)):
            return
        rows = pa.Table.from_batches(parts)
        entity, is_asked = _codes(rows), pc.is_valid(rows[ASKED])
        asked, mask = rows.filter(is_asked), is_asked.to_numpy()
        until = asked[KNOWN_UNTIL].to_numpy() if as_known else None
        queries = Queries(entity[mask], asked[TIME].to_numpy(), until)
        happened = rows.filter(pc.invert(is_asked)).select([TIME, HAPPENED])
        events = as_events(_fields(happened[HAPPENED]).append_column(TIME, happened[TIME]), group, entity[~mask])
        found = compute(group, events, queries, features)
        result = _fields(asked[ASKED])
        for name, numbers in found.items():
            result = result.append_column(name, floats(numbers))
        yield from result.to_batches(max_chunksize=ROWS_A_BATCH)

    return values


def _fields(structs: pa.ChunkedArray) -> pa.Table:
    """The fields of structs, none of which is null, as columns."""
    schema = pa.schema(list(structs.type))
    return pa.Table.from_batches([pa.RecordBatch.from_struct_array(chunk) for chunk in structs.chunks], schema)


def _codes(rows: pa.Table) -> Ints:
    """A number from 0 for each entity and span."""
    entities = pc.dictionary_encode(rows[ENTITY]).combine_chunks()
    codes: Ints = pc.fill_null(entities.indices, len(entities.dictionary)).to_numpy().astype(np.int64)
    spans = rows[SPAN].to_numpy().astype(np.int64)
    if not spans.any():
        return codes
    _, dense = np.unique(codes * (int(spans.max()) + 1) + spans, return_inverse=True)
    return dense


def _with_derived(frame: DataFrame, spine: StructType, service: FeatureService) -> DataFrame:
    kept = spine.names
    if not any(isinstance(one, Derived) for one in service.features):
        return frame.select(*kept, *service.names)
    names = [
        *(one.name for one in service.inputs),
        *(one.name for group in service.groups for one in service.read_of(group)),
    ]
    schema = StructType([*spine, *(StructField(name, DoubleType()) for name in service.names)])

    def derive(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            values = {name: batch[name].to_numpy(zero_copy_only=False).astype(np.float64) for name in names}
            features = service_features(service, values, batch[TIME].to_numpy())
            arrays = [*(batch[name] for name in kept), *(floats(found) for found in features.values())]
            yield pa.RecordBatch.from_arrays(arrays, names=[*kept, *features])

    return frame.mapInArrow(derive, schema)
