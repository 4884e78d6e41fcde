"""Events into the online store: each task takes the entities of some buckets and brings their states up to date."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812

from feature_store.columns.events import Ints, Mask
from feature_store.definitions import FeatureGroup
from feature_store.definitions.windows import NEVER
from feature_store.lake.silver import KNOWN, as_events
from feature_store.lake.spans import ENTITY
from feature_store.online.connection import connection_string
from feature_store.states import Change, Found, Known, StateStore, bucket_of
from feature_store.states.known import BUCKETS, check_of
from feature_store.states.ledger import CHANGE, Changes, joined, summed
from feature_store.states.store import WRITE_TIMEOUT_S
from feature_store.tiles import Layout, apply, header_of, peek
from feature_store.tiles.state import NO_VERSION, Header
from tidemill.config.settings import Settings

BUCKET, COMMIT = "__tidemill_bucket", "_commit_version"
COUNTS_DDL = (
    "events BIGINT, entities BIGINT, kept BIGINT, bytes BIGINT, largest BIGINT, version BIGINT, known BIGINT, "
    "changes BINARY, lost BINARY"
)
NO_BUCKETS: Ints = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True)
class Upon:
    """What states are brought up to date from: all commits up to ``version`` are in those of ``epoch``.

    ``token`` is that of the turn in which they are written.
    """

    epoch: int
    version: int
    token: str


@dataclass(frozen=True)
class Anew:
    """The events are all there are: a state is made of them alone, whatever is there.

    ``at`` is what the states say of when they were written, in microseconds since 1970. When it is not the whole of
    their buckets that is made, states that are as new as the events are kept: they were made by a try before.
    """

    at: int
    is_whole: bool = True


@dataclass(frozen=True)
class Counts:
    """What was done: ``kept`` states were right already, ``bytes`` and ``largest`` are sizes of the written ones.

    ``version`` is the newest commit of the events, ``known`` their newest known time; ``changes`` are for the ledger.
    In the buckets ``lost`` the store does not have what it is known to have had: events of these were left out.
    """

    events: int = 0
    entities: int = 0
    kept: int = 0
    bytes: int = 0
    largest: int = 0
    version: int = NO_VERSION
    known: int = 0
    changes: Changes = field(default_factory=lambda: joined([]))
    lost: Ints = field(default_factory=lambda: NO_BUCKETS)

    def __add__(self, more: "Counts") -> "Counts":
        return Counts(
            self.events + more.events,
            self.entities + more.entities,
            self.kept + more.kept,
            self.bytes + more.bytes,
            max(self.largest, more.largest),
            max(self.version, more.version),
            max(self.known, more.known),
            summed(np.concatenate([self.changes, more.changes])),
            np.union1d(self.lost, more.lost),
        )


def apply_to_states(  # noqa: PLR0913, PLR0917 - events, whose, where, and upon what
    events: DataFrame, settings: Settings, group: FeatureGroup, tasks: int, upon: Upon, anew: Anew | None = None
) -> Counts:
    """Apply ``events`` (``feature_store.lake.silver``'s columns and the commit of each) and count what was done.

    Raises:
        StatesFencedError: somebody else writes these states.
    """
    task = F.pmod(F.xxhash64(ENTITY), F.lit(tasks)).cast("int").alias(BUCKET)
    done = events.select("*", task).groupBy(BUCKET).applyInArrow(_task(settings, group, upon, anew), COUNTS_DDL)
    total = Counts()
    for row in done.collect():
        arrays = {"changes": joined([row["changes"]]), "lost": np.frombuffer(row["lost"], dtype=np.int64)}
        total += Counts(**row.asDict() | arrays)
    return total


def state_bucket() -> Column:
    """The bucket of the states of each event's entity."""
    return F.pmod(F.crc32(F.col(ENTITY).cast("binary")), F.lit(BUCKETS))


def _task(settings: Settings, group: FeatureGroup, upon: Upon, anew: Anew | None) -> Callable[[pa.Table], pa.Table]:
    def write(rows: pa.Table) -> pa.Table:
        writer = Writer(worker_store(settings, group), Layout.of(group), upon, anew)
        counts = writer.write_all(rows, settings.feast.write_chunk_rows)
        columns = {name: [getattr(counts, name)] for name in ("events", "entities", "kept", "bytes", "largest")}
        columns |= {"version": [counts.version], "known": [counts.known]}
        return pa.table(columns | {"changes": [counts.changes.tobytes()], "lost": [counts.lost.tobytes()]})

    return write


@dataclass(frozen=True)
class Writer:
    """Brings states up to date, or makes them ``anew``."""

    store: StateStore
    layout: Layout
    upon: Upon
    anew: Anew | None = None

    def write_all(self, rows: pa.Table, chunk: int) -> Counts:
        """Apply ``rows``, so many entities at a time."""
        entity, ids = _numbered(rows[ENTITY])
        total = Counts(version=pc.max(rows[COMMIT]).as_py(), known=pc.max(rows[KNOWN]).as_py())
        for first, index in _chunks(entity, len(ids), chunk):
            total += self.write(ids[first : first + chunk], rows.take(pa.array(index)), entity[index] - first)
        return total

    def write(self, ids: Sequence[str], rows: pa.Table, entity: Ints) -> Counts:
        """Apply ``rows``, whose ``entity`` is a position in ``ids``."""
        commits, now = rows[COMMIT].to_numpy(), time.time_ns() // 1000 if self.anew is None else self.anew.at
        newest = np.full(len(ids), NO_VERSION)
        np.maximum.at(newest, entity, commits)
        found = self.store.find(ids)
        stand = np.array([stands(self.layout, self.upon.epoch, one) for one in found])
        chosen = self._chosen(found, newest, stand).nonzero()[0].tolist()
        before = [
            one.state if self.anew is None and is_right else None for one, is_right in zip(found, stand, strict=True)
        ]
        events = as_events(rows, self.layout.group, entity)
        after = apply(self.layout, before, events, commits, now, self.upon.epoch)
        written = {
            number: Change(
                found[number],
                after[number],
                Known(self.upon.epoch, int(newest[number]), self._version_before(found[number])),
            )
            for number in chosen
        }
        self.store.write(self.upon.token, list(written.values()), now)
        sizes = [len(after[number]) for number in chosen]
        lost = [bucket_of(ids[number]) for number in (~stand).nonzero()[0].tolist()] if self.anew is None else []
        return Counts(
            events=rows.num_rows,
            entities=len(ids),
            kept=len(ids) - len(chosen),
            bytes=sum(sizes),
            largest=max(sizes, default=0),
            changes=self._changes(found, written),
            lost=np.unique(np.array(lost, dtype=np.int64)),
        )

    def _chosen(self, found: Sequence[Found], newest: Ints, stand: Mask) -> Mask:
        """Which states to write: not those that have taken in all of it, nor those that are lost."""
        if self.anew is not None and self.anew.is_whole:
            return np.ones(len(found), dtype=np.bool_)
        have = np.array([one.known.version if one.known else NO_VERSION for one in found])
        is_done = stand & (have >= newest)
        return stand & ~is_done if self.anew is None else ~is_done

    def _version_before(self, found: Found) -> int:
        known = found.known
        return known.version_at(self.upon.version) if known and known.epoch == self.upon.epoch else NO_VERSION

    def _changes(self, found: Sequence[Found], written: Mapping[int, Change]) -> Changes:
        """What is other than it was at the ledger's version, of all entities found, whoever wrote it in this batch."""
        is_whole = self.anew is not None and self.anew.is_whole
        rows = []
        for number, one in enumerate(found):
            change = written.get(number)
            known = change.known if change else one.known
            if known is None or known.epoch != self.upon.epoch:
                continue
            state = change.state if change else one.state
            before = NO_VERSION if is_whole else self._version_before(one)
            header = peek(self.layout, state or b"")
            check = check_of(one.entity, known.epoch, before) ^ check_of(one.entity, known.epoch, known.version)
            due = header.until if header else NEVER
            rows.append((bucket_of(one.entity), known.version, before == NO_VERSION, check, due))
        return summed(np.array(rows, dtype=CHANGE))


def stands(layout: Layout, epoch: int, found: Found) -> bool:
    """Whether the store has of an entity what it is known to have had: its state of ``epoch``, or nothing."""
    known = found.known
    if found.state is None or known is None:
        return found.state is None and found.entry is None
    header = header_of(layout, found.state)
    return isinstance(header, Header) and (header.epoch, header.version) == (epoch, known.version) == known[:2]


def has_come(layout: Layout, epoch: int, found: Found, version: int) -> bool:
    """Whether the state is there as it is known, and has taken in commit ``version``."""
    return stands(layout, epoch, found) and found.known is not None and found.known.version >= version


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
