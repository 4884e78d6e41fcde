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
ANY_VERSION = 1 << 62
"""Newer than every commit."""


@dataclass(frozen=True)
class Anew:
    """The events are all there are: a state is made of them alone, unless one of ``keep_from`` or newer is there.

    ``at`` is what the states say of when they were written, in microseconds since 1970.
    """

    at: int
    keep_from: int = ANY_VERSION


def apply_to_states(
    events: DataFrame, settings: Settings, group: FeatureGroup, buckets: int, anew: Anew | None = None
) -> dict[str, int]:
    """Apply ``events`` (``feature_store.silver``'s columns and the commit of each) and count what was done.

    ``kept`` are the states that :class:`Anew` leaves alone, ``bytes`` and ``largest`` are sizes of the written ones,
    ``known`` is the newest known time of the events.
    """
    bucket = F.pmod(F.xxhash64(ENTITY), F.lit(buckets)).cast("int").alias(BUCKET)
    done = events.select("*", bucket).groupBy(BUCKET).applyInArrow(_bucket(settings, group, anew), COUNTS_DDL)
    names = [column.split()[0] for column in COUNTS_DDL.split(", ")]
    row = done.agg(*((F.max if name in MAXIMA else F.sum)(name).alias(name) for name in names)).head()
    return {name: int(row[name] or 0) for name in names} if row else dict.fromkeys(names, 0)


def _bucket(settings: Settings, group: FeatureGroup, anew: Anew | None) -> Callable[[pa.Table], pa.Table]:
    def write(rows: pa.Table) -> pa.Table:
        writer = _Writer(worker_store(settings, group), Layout.of(group), anew)
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
    """Brings states up to date, or makes them ``anew``."""

    store: StateStore
    layout: Layout
    anew: Anew | None

    def write(self, ids: Sequence[str], rows: pa.Table, entity: Ints) -> list[int]:
        """Apply ``rows``, whose ``entity`` is a position in ``ids``; returns the sizes of the states written."""
        before, chosen = self.store.read(ids), list(range(len(ids)))
        now = time.time_ns() // 1000
        if self.anew is not None:
            keep_from, now = self.anew.keep_from, self.anew.at
            chosen = [number for number in chosen if not is_at_least(self.layout, before[number], keep_from)]
            before = [None] * len(ids)
        events = as_events(rows, self.layout.group, entity)
        after = apply(self.layout, before, events, rows[COMMIT].to_numpy(), now)
        self.store.write([ids[number] for number in chosen], [after[number] for number in chosen], now)
        return [len(after[number]) for number in chosen]


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


def worker_store(settings: Settings, group: FeatureGroup) -> StateStore:
    """One connection a Python worker and group, kept while the worker lives."""
    key = connection_string(settings, WRITE_TIMEOUT_S), group.fingerprint
    if key not in _STORES:
        _STORES[key] = StateStore(settings, group)
    return _STORES[key]
