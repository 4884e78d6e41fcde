"""What changed silver otherwise than by new rows: the entities that it touched have their states made anew.

A row that was only inserted is an event like any other, whoever inserted it. A row that was deleted, updated, or
written once more with its file, is in a state already and cannot be taken out of its tiles: so all events of its entity
are read again, as silver has them at the end of the batch.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812

from config.settings import Settings
from feature_store.applying import COMMIT, Anew, apply_to_states, worker_store
from feature_store.bootstrap import make_anew
from feature_store.definitions import FeatureGroup
from feature_store.silver import event_columns, silver_events
from feature_store.spans import ENTITY
from feature_store.states import StateStore
from feature_store.tiles import REBUILDING_MARK, Layout, is_at_least

HANDLED_DDL = "handled BIGINT"
Handle = Callable[[StateStore, Sequence[str], Sequence[bytes | None]], int]


@dataclass(frozen=True)
class ChangedCommit:
    """A commit of silver: ``rows`` of its change feed are no inserts, and are of ``entities``."""

    version: int
    rows: int
    entities: int


def changed_commits(changes: DataFrame, group: FeatureGroup) -> list[ChangedCommit]:
    """The commits in ``changes``, a part of silver's change feed, oldest first: one row each comes to the driver."""
    before = F.when(~is_insert(), F.col(group.entity_column))
    rows = changes.where(F.col(group.entity_column).isNotNull()).groupBy(COMMIT)
    counts = rows.agg(F.count(before).alias("rows"), F.count_distinct(before).alias("entities"))
    return [ChangedCommit(*row) for row in counts.orderBy(COMMIT).collect()]


def touched_entities(changes: DataFrame, group: FeatureGroup) -> DataFrame:
    """The id of each entity of which a row was there before, under either name of one that was renamed."""
    return event_columns(changes.where(~is_insert()), group).select(ENTITY).distinct()


def inserted_events(changes: DataFrame, group: FeatureGroup) -> DataFrame:
    """The events that ``changes`` inserts, each with its commit."""
    return event_columns(changes.where(is_insert()), group, F.col(COMMIT))


def is_insert() -> Column:
    return F.col("_change_type") == "insert"


def correct(
    changes: DataFrame, touched: DataFrame, settings: Settings, group: FeatureGroup, anew: Anew
) -> Mapping[str, int]:
    """Bring the states up to silver's version ``anew.keep_from``, the newest in ``changes``, and count what was done.

    The states of ``touched`` entities are marked, then made anew from silver; the events of others are applied. An
    entity without events stays marked: :func:`forget_marked`. Doing it again changes nothing.
    """
    mark(touched, settings, group, anew.keep_from)
    silver = silver_events(changes.sparkSession, settings, group, anew.keep_from).join(touched, ENTITY, "left_semi")
    made = make_anew(silver, settings, group, anew.keep_from, anew)
    others = inserted_events(changes, group).join(touched, ENTITY, "left_anti")
    applied = apply_to_states(others, settings, group, settings.spark.shuffle_partitions)
    return {"events": made["events"] + applied["events"], "known": max(made["known"], applied["known"])}


def mark(touched: DataFrame, settings: Settings, group: FeatureGroup, version: int) -> None:
    """Replace each state of ``touched`` that has not come to ``version`` by a mark: nobody is answered from it."""

    def put(store: StateStore, ids: Sequence[str], states: Sequence[bytes | None]) -> int:
        there = [entity for entity, state in zip(ids, states, strict=True) if state is not None]
        store.write(there, [REBUILDING_MARK] * len(there), 0)
        return len(there)

    _older_states(touched, settings, group, version, put)


def forget_marked(touched: DataFrame, settings: Settings, group: FeatureGroup, version: int) -> int:
    """Remove what stands for those of ``touched`` that silver has no events of at ``version``; how many there were."""

    def remove(store: StateStore, ids: Sequence[str], states: Sequence[bytes | None]) -> int:
        there = [(entity, state) for entity, state in zip(ids, states, strict=True) if state is not None]
        return store.forget([entity for entity, _ in there], [state for _, state in there])

    return _older_states(touched, settings, group, version, remove)


def _older_states(touched: DataFrame, settings: Settings, group: FeatureGroup, version: int, handle: Handle) -> int:
    """``handle`` the states of ``touched`` that are older than ``version``, where the entities are; the sum of it."""
    size = settings.feast.write_chunk_rows

    def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        store, layout, handled = worker_store(settings, group), Layout.of(group), 0
        for batch in batches:
            ids = batch[ENTITY].to_pylist()
            for first in range(0, len(ids), size):
                chunk = ids[first : first + size]
                states = store.read(chunk)
                older = [number for number, state in enumerate(states) if not is_at_least(layout, state, version)]
                handled += handle(store, [chunk[number] for number in older], [states[number] for number in older])
        yield pa.RecordBatch.from_pydict({"handled": [handled]})

    row = touched.mapInArrow(work, HANDLED_DDL).agg(F.sum("handled")).head()
    return int(row[0] or 0) if row else 0
