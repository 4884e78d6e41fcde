"""Features of all entities of a partition at one moment, from the Arrow batches that its events come in."""

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from feature_store.columns.arrow import floats
from feature_store.columns.derived import service_features
from feature_store.columns.events import Events, Features, Queries
from feature_store.definitions import FeatureGroup, FeatureService
from feature_store.kernel import compute
from feature_store.lake.silver import as_events
from feature_store.lake.spans import ENTITY

READING, CODE = "__tidemill_reading", "__tidemill_code"
Groups = Sequence[FeatureGroup]
Batches = Iterable[pa.RecordBatch]
OfBatches = Callable[[Batches], Iterator[pa.RecordBatch]]


def readings(service: FeatureService) -> list[Groups]:
    """The groups of a service, those together that read the same events."""
    groups: dict[object, list[FeatureGroup]] = {}
    for group in service.groups:
        groups.setdefault((group.source, group.entity_column), []).append(group)
    return list(groups.values())


def read_as(reading: int, name: str) -> str:
    """The column of a partition that holds ``name`` of a reading: tables may have columns of one name and two types."""
    return f"{reading}_{name}"


def features_at(moment: int, service: FeatureService, key: str, *, as_known: bool = False) -> OfBatches:
    """What makes of a partition's events one batch: the ``key`` of each entity, and its features at ``moment``.

    The events are those before ``moment`` (microseconds since 1970), as ``event_columns`` names them but for what
    groups read (:func:`read_as`); ``READING`` numbers the :func:`readings` they are of.
    """

    def made(batches: Batches) -> Iterator[pa.RecordBatch]:
        arrived = list(batches)
        if not arrived:
            return
        rows = pa.Table.from_batches(arrived).combine_chunks()
        entities = pc.dictionary_encode(rows[ENTITY]).combine_chunks()
        times = np.full(len(entities.dictionary), moment)
        queries = Queries(np.arange(len(times)), times, times if as_known else None)
        values = _values(rows.append_column(CODE, entities.indices.cast(pa.int64())), service, queries)
        features = service_features(service, values, times)
        arrays = [entities.dictionary, *(floats(numbers) for numbers in features.values())]
        yield pa.RecordBatch.from_arrays(arrays, names=[key, *features])

    return made


def _values(rows: pa.Table, service: FeatureService, queries: Queries) -> Features:
    values: Features = {}
    together = readings(service)
    for number, groups in enumerate(together):
        own = rows.filter(pc.field(READING) == number) if len(together) > 1 else rows
        for group in groups:
            values |= compute(group, _events(own, group, number), queries, service.read_of(group))
    return values


def _events(rows: pa.Table, group: FeatureGroup, reading: int) -> Events:
    names = {read_as(reading, name): name for name in group.columns}
    named = rows.rename_columns([names.get(name, name) for name in rows.column_names])
    return as_events(named, group, named[CODE].to_numpy())
