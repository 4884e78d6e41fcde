"""What changed silver otherwise than by new rows: the entities that it touched have their states made anew.

A row that was only inserted is an event like any other, whoever inserted it. A row that was deleted, updated, or
written once more with its file, is in a state already and cannot be taken out of its tiles: so all events of its entity
are read again, as silver has them at the end of the batch.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812

from config.settings import Settings
from feature_store.applying import (
    COMMIT,
    Anew,
    Counts,
    Upon,
    apply_to_states,
    has_come,
    leaving,
    worker_store,
)
from feature_store.bootstrap import make_anew
from feature_store.definitions import FeatureGroup
from feature_store.silver import event_columns, silver_events
from feature_store.spans import ENTITY
from feature_store.states import Change, Found, StateStore
from feature_store.states.ledger import Changes, joined
from feature_store.tiles import REBUILDING_MARK, Layout

CHANGES_DDL, CHANGES = "changes BINARY", pa.schema([("changes", pa.binary())])
Handle = Callable[[StateStore, Sequence[Found]], Changes]


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


def correct(  # noqa: PLR0913, PLR0917 - what changed, whose, and upon what
    changes: DataFrame, touched: DataFrame, settings: Settings, group: FeatureGroup, upon: Upon, version: int, at: int
) -> Counts:
    """Bring the states up to silver's ``version``, the newest in ``changes``, and count what was done.

    The states of ``touched`` entities are marked, then made anew from silver; the events of others are applied. An
    entity without events stays marked: :func:`forget_marked`. Doing it again changes nothing.
    """
    mark(touched, settings, group, upon, version)
    silver = silver_events(changes.sparkSession, settings, group, version).join(touched, ENTITY, "left_semi")
    made = make_anew(silver, settings, group, version, upon, Anew(at, is_whole=False))
    others = inserted_events(changes, group).join(touched, ENTITY, "left_anti")
    applied = apply_to_states(others, settings, group, settings.spark.shuffle_partitions, upon)

    def leave(_store: StateStore, found: Sequence[Found]) -> Changes:
        return leaving(found, upon.version, version)

    return made + applied + Counts(changes=_each_older(touched, settings, group, upon, version, leave))


def mark(touched: DataFrame, settings: Settings, group: FeatureGroup, upon: Upon, version: int) -> None:
    """Replace each state of ``touched`` that has not come to ``version`` by a mark: nobody is answered from it."""

    def put(store: StateStore, found: Sequence[Found]) -> Changes:
        there = [one for one in found if one.state is not None]
        store.write(upon.epoch, [Change(one, REBUILDING_MARK, one.known) for one in there], 0)
        return joined([])

    _each_older(touched, settings, group, upon, version, put)


def forget_marked(touched: DataFrame, settings: Settings, group: FeatureGroup, upon: Upon, version: int) -> None:
    """Remove what stands for those of ``touched`` that silver has no events of at ``version``."""

    def remove(store: StateStore, found: Sequence[Found]) -> Changes:
        there = [one for one in found if one.state is not None or one.entry is not None]
        store.write(upon.epoch, [Change(one, None, None) for one in there], 0)
        return joined([])

    _each_older(touched, settings, group, upon, version, remove)


def _each_older(  # noqa: PLR0913, PLR0917 - whose, upon what, and what to do
    touched: DataFrame, settings: Settings, group: FeatureGroup, upon: Upon, version: int, handle: Handle
) -> Changes:
    """``handle`` what is found of those of ``touched`` that have not come to ``version``, where the entities are."""
    size = settings.feast.write_chunk_rows

    def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        store, layout = worker_store(settings, group), Layout.of(group)
        changes = []
        for batch in batches:
            ids = batch[ENTITY].to_pylist()
            for first in range(0, len(ids), size):
                found = store.find(ids[first : first + size])
                changes.append(handle(store, [one for one in found if not has_come(layout, upon.epoch, one, version)]))
        yield pa.RecordBatch.from_pydict({"changes": [part.tobytes() for part in changes]}, CHANGES)

    return joined(row["changes"] for row in touched.mapInArrow(work, CHANGES_DDL).collect())
