"""Window features of many entities at many times, point-in-time correct, computed by Spark with the kernel.

Spine and events are brought together by the hash of the entity, and for each such group of entities the kernel computes
all features over columns: no row passes through Python by itself, and nothing through the driver. An entity with more
events than a task should hold is cut into spans of time (``feature_store.lake.spans``).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import reduce

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql.types import DoubleType, StructField, StructType

from feature_store.columns.arrow import floats
from feature_store.columns.derived import service_features
from feature_store.columns.events import Ints, Queries
from feature_store.definitions import Derived, Feature, FeatureGroup, FeatureService
from feature_store.kernel import compute
from feature_store.lake.silver import as_events, silver_events
from feature_store.lake.spans import ENTITY, SPAN, TIME, with_spans
from feature_store.offline.spine import EVENT_TIMESTAMP, INPUT, Spine, SpineError
from tidemill.config.settings import Settings

__all__ = ["EVENT_TIMESTAMP", "SpineError", "frame_of_events", "training_frame"]

BUCKET = "__tidemill_bucket"
Kernel = Callable[[tuple[pa.Scalar, ...], pa.Table, pa.Table], pa.Table]


def training_frame(
    spine: DataFrame,
    service: FeatureService,
    settings: Settings,
    *,
    as_known: bool = False,
    versions: Mapping[str, int] | None = None,
) -> DataFrame:
    """``spine`` with the features of ``service``: each row's are those of its entity at its ``event_timestamp``.

    The spine has a column for the key of each entity (texts or whole numbers), the time, and the inputs of derived
    features; its other columns are kept. A feature without a value is null. With ``as_known`` an event counts from when
    the lake had it; ``versions`` says at which version to read a table.

    Raises:
        SpineError: a column is missing, of a type that cannot be read so, or would be written over.
    """

    def in_silver(group: FeatureGroup) -> DataFrame:
        return silver_events(spine.sparkSession, settings, group, (versions or {}).get(group.source.table))

    return frame_of_events(spine, service, settings, in_silver, as_known=as_known)


def frame_of_events(
    spine: DataFrame,
    service: FeatureService,
    settings: Settings,
    events_of: Callable[[FeatureGroup], DataFrame],
    *,
    as_known: bool = False,
) -> DataFrame:
    """:func:`training_frame` over the events that ``events_of`` a group has, as ``event_columns`` names them."""
    asked = Spine.of(spine, service)

    def with_group(frame: DataFrame, group: FeatureGroup) -> DataFrame:
        features, at_once = service.read_of(group), settings.spark.events_a_task
        return _with_group(frame, group, features, events_of(group), as_known, at_once)

    found = _with_derived(reduce(with_group, service.groups, asked.rows), asked, service)
    return found.toDF(*asked.own, *service.names)


def _with_group(  # noqa: PLR0913, PLR0917 - what, of whom, and as of when
    spine: DataFrame,
    group: FeatureGroup,
    features: Sequence[Feature],
    events: DataFrame,
    as_known: bool,
    events_a_task: int,
) -> DataFrame:
    schema = StructType([*spine.schema, *(StructField(feature.name, DoubleType()) for feature in features)])
    queries, history, buckets = with_spans(
        spine.withColumn(ENTITY, F.col(group.entity.key).cast("string")),
        events,
        group,
        events_a_task,
    )
    bucket = F.pmod(F.xxhash64(ENTITY, SPAN), F.lit(buckets)).alias(BUCKET)
    left = queries.select("*", bucket).groupBy(BUCKET)
    right = history.select("*", bucket).groupBy(BUCKET)
    return left.cogroup(right).applyInArrow(_kernel(group, features, spine.columns, as_known), schema)


def _kernel(group: FeatureGroup, features: Sequence[Feature], kept: list[str], as_known: bool) -> Kernel:
    def values(_: tuple[pa.Scalar, ...], spine: pa.Table, events: pa.Table) -> pa.Table:
        asked, happened = _codes(spine, events)
        times = spine[TIME].to_numpy()
        queries = Queries(asked, times, times if as_known else None)
        found = compute(group, as_events(events, group, happened), queries, features)
        result = spine.select(kept)
        for name, numbers in found.items():
            result = result.append_column(name, floats(numbers))
        return result

    return values


def _codes(spine: pa.Table, events: pa.Table) -> tuple[Ints, Ints]:
    """A number from 0 for each entity and span, of the spine's rows and of the events."""
    entities = pc.dictionary_encode(
        pa.chunked_array([*spine[ENTITY].chunks, *events[ENTITY].chunks], spine[ENTITY].type)
    )
    whole = entities.combine_chunks() if entities.num_chunks != 1 else entities.chunk(0)
    codes = pc.fill_null(whole.indices, len(whole.dictionary)).to_numpy().astype(np.int64)
    spans = np.concatenate([spine[SPAN].to_numpy(), events[SPAN].to_numpy()]).astype(np.int64)
    _, dense = np.unique(codes * (int(spans.max(initial=0)) + 1) + spans, return_inverse=True)
    return dense[: len(spine)], dense[len(spine) :]


def _with_derived(frame: DataFrame, spine: Spine, service: FeatureService) -> DataFrame:
    kept = spine.kept
    if not any(isinstance(feature, Derived) for feature in service.features):
        return frame.select(*kept, *service.names)
    given = {one.name: f"{INPUT}{one.name}" for one in service.inputs}
    read = given | {feature.name: feature.name for group in service.groups for feature in service.read_of(group)}
    types = {field.name: field for field in frame.schema}
    schema = StructType([*(types[name] for name in kept), *(StructField(name, DoubleType()) for name in service.names)])

    def derive(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            values = {
                name: batch[column].to_numpy(zero_copy_only=False).astype(np.float64) for name, column in read.items()
            }
            features = service_features(service, values, batch[TIME].to_numpy())
            arrays = [*(batch[name] for name in kept), *(floats(found) for found in features.values())]
            yield pa.RecordBatch.from_arrays(arrays, names=[*kept, *features])

    return frame.mapInArrow(derive, schema)
