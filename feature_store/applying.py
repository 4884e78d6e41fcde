"""Events into the states of a group, on Spark's executors: read the states of a bucket, apply, write them back."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

from config.settings import Settings
from feature_store.definitions import FeatureGroup
from feature_store.events import Ints
from feature_store.online_store import connection_string
from feature_store.silver import KNOWN, as_events
from feature_store.spans import ENTITY
from feature_store.states import WRITE_TIMEOUT_S, StateStore
from feature_store.tiles import Layout, apply, is_at_least

BUCKET, COMMIT = "__tidemill_bucket", "_commit_version"
COUNTS_DDL = "events BIGINT, entities BIGINT, kept BIGINT, bytes BIGINT, largest BIGINT, version BIGINT, known BIGINT"
MAXIMA = ("largest", "version", "known")


def apply_to_states(
    events: DataFrame, settings: Settings, group: FeatureGroup, buckets: int, keep_from: int | None = None
) -> dict[str, int]:
    """Apply ``events`` (``feature_store.silver``'s columns and the commit of each) and count what was done.

    With ``keep_from`` the events are all there are: a state is made of them alone, unless one of this commit or a newer
    one is there, which is ``kept``. ``bytes`` and ``largest`` are sizes of the written states, ``known`` is the newest
    known time of the events.
    """
    bucket = F.pmod(F.xxhash64(ENTITY), F.lit(buckets)).cast("int").alias(BUCKET)
    done = events.select("*", bucket).groupBy(BUCKET).applyInArrow(_bucket(settings, group, keep_from), COUNTS_DDL)
    names = [column.split()[0] for column in COUNTS_DDL.split(", ")]
    row = done.agg(*((F.max if name in MAXIMA else F.sum)(name).alias(name) for name in names)).head()
    return {name: int(row[name] or 0) for name in names} if row else dict.fromkeys(names, 0)


def _bucket(settings: Settings, group: FeatureGroup, keep_from: int | None) -> Callable[[pa.Table], pa.Table]:
    def write(rows: pa.Table) -> pa.Table:
        writer = _Writer(_store(settings, group), Layout.of(group), keep_from)
        entity, ids = _numbered(rows[ENTITY])
        sizes: list[int] = []
        for first, index in _chunks(entity, len(ids), settings.feast.write_chunk_rows):
            chunk = ids[first : first + settings.feast.write_chunk_rows]
            sizes += writer.write(chunk, rows.take(pa.array(index)), entity[index] - first)
        return pa.table(
            {
                "events": [rows.num_rows],
                "entities": [len(ids)],
                "kept": [len(ids) - len(sizes)],
                "bytes": [sum(sizes)],
                "largest": [max(sizes, default=0)],
                "version": [pc.max(rows[COMMIT]).as_py()],
                "known": [pc.max(rows[KNOWN]).as_py()],
            }
        )

    return write


@dataclass(frozen=True)
class _Writer:
    """Brings states up to date; ``keep_from`` as in :func:`apply_to_states`."""

    store: StateStore
    layout: Layout
    keep_from: int | None

    def write(self, ids: Sequence[str], rows: pa.Table, entity: Ints) -> list[int]:
        """Apply ``rows``, whose ``entity`` is a position in ``ids``; returns the sizes of the states written."""
        before, chosen = self.store.read(ids), list(range(len(ids)))
        if self.keep_from is not None:
            chosen = [one for one in chosen if not is_at_least(self.layout, before[one], self.keep_from)]
            before = [None] * len(ids)
        now = time.time_ns() // 1000
        events = as_events(rows, self.layout.group, entity)
        after = apply(self.layout, before, events, rows[COMMIT].to_numpy(), now)
        self.store.write([ids[one] for one in chosen], [after[one] for one in chosen], now)
        return [len(after[one]) for one in chosen]


def _numbered(entities: pa.ChunkedArray) -> tuple[Ints, list[str]]:
    """The number of each row's entity, from 0, and the entities in that order."""
    coded = pc.dictionary_encode(entities.combine_chunks())
    return coded.indices.to_numpy().astype(np.int64), coded.dictionary.to_pylist()


def _chunks(entity: Ints, entities: int, size: int) -> Iterator[tuple[int, Ints]]:
    """The first entity of every ``size``, and the rows of these."""
    order = np.argsort(entity, kind="stable")
    firsts = np.arange(0, entities, size)
    limits = np.searchsorted(entity[order], [*firsts, entities])
    for number, first in enumerate(firsts.tolist()):
        yield first, order[limits[number] : limits[number + 1]]


_STORES: dict[tuple[str, str], StateStore] = {}


def _store(settings: Settings, group: FeatureGroup) -> StateStore:
    """One connection a Python worker and group, kept while the worker lives."""
    key = connection_string(settings, WRITE_TIMEOUT_S), group.fingerprint
    if key not in _STORES:
        _STORES[key] = StateStore(settings, group)
    return _STORES[key]
