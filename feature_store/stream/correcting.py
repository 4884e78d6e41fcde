"""What changed silver otherwise than by new rows: the entities that it touched have their states made anew.

A row that was only inserted is an event like any other, whoever inserted it. A row that was deleted, updated, or
written once more with its file, is in a state already and cannot be taken out of its tiles: so all events of its entity
are read again, as silver has them at the end of the batch.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812

from feature_store.definitions import FeatureGroup
from feature_store.definitions.windows import NEVER
from feature_store.lake.silver import event_columns, silver_events
from feature_store.lake.spans import ENTITY
from feature_store.states import Change, Found, StateStore, bucket_of
from feature_store.states.known import check_of
from feature_store.states.ledger import CHANGE, Changes, joined, summed
from feature_store.stream.applying import (
    COMMIT,
    Anew,
    Counts,
    Upon,
    apply_to_states,
    has_come,
    worker_store,
)
from feature_store.stream.bootstrap import make_anew
from feature_store.tiles import REBUILDING_MARK, Layout
from feature_store.tiles.state import NO_VERSION
from tidemill.config.settings import Settings

CHANGES_DDL, CHANGES = "changes BINARY", pa.schema([("changes", pa.binary())])
Handle = Callable[[StateStore, Sequence[Found], Upon, int], Changes]


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
    each = _Each(touched, settings, group, upon, version)
    each.do(mark)
    silver = silver_events(changes.sparkSession, settings, group, version).join(touched, ENTITY, "left_semi")
    made = make_anew(silver, settings, group, version, upon, Anew(at, is_whole=False))
    others = inserted_events(changes, group).join(touched, ENTITY, "left_anti")
    applied = apply_to_states(others, settings, group, settings.spark.shuffle_partitions, upon)
    return made + applied + Counts(changes=each.do(leave))


def forget_marked(touched: DataFrame, settings: Settings, group: FeatureGroup, upon: Upon, version: int) -> None:
    """Remove what stands for those of ``touched`` that silver has no events of at ``version``."""
    _Each(touched, settings, group, upon, version).do(forget)


def mark(store: StateStore, found: Sequence[Found], upon: Upon, _version: int) -> Changes:
    """Replace the states ``found`` by a mark: nobody is answered from it."""
    there = [one for one in found if one.state is not None]
    store.write(upon.token, [Change(one, REBUILDING_MARK, one.known) for one in there], 0)
    return joined([])


def leave(_store: StateStore, found: Sequence[Found], upon: Upon, version: int) -> Changes:
    """What it changes that what is ``found`` will be removed by commit ``version``."""
    rows = [
        (bucket_of(one.entity), version, -1, check_of(one.entity, known.epoch, known.version_at(upon.version)), NEVER)
        for one in _gone(found, upon, version)
        if (known := one.known) is not None and known.version_at(upon.version) != NO_VERSION
    ]
    return summed(np.array(rows, dtype=CHANGE))


def forget(store: StateStore, found: Sequence[Found], upon: Upon, version: int) -> Changes:
    """Remove what is ``found``."""
    there = [one for one in _gone(found, upon, version) if one.state is not None or one.entry is not None]
    store.write(upon.token, [Change(one, None, None) for one in there], 0)
    return joined([])


def _gone(found: Sequence[Found], upon: Upon, version: int) -> Iterator[Found]:
    """Those that commit ``version`` left no events of. A state that was made by it, and is lost since, is missed."""
    for one in found:
        known = one.known
        if known is None or known.epoch != upon.epoch or known.version < version:
            yield one


def each_older(  # noqa: PLR0913, PLR0917 - whose, upon what, and what to do
    store: StateStore, layout: Layout, ids: Sequence[str], upon: Upon, version: int, handle: Handle
) -> Changes:
    """``handle`` what is found of those of ``ids`` that have not come to ``version``."""
    older = [one for one in store.find(ids) if not has_come(layout, upon.epoch, one, version)]
    return handle(store, older, upon, version)


@dataclass(frozen=True)
class _Each:
    """:func:`each_older` where the ``touched`` entities are."""

    touched: DataFrame
    settings: Settings
    group: FeatureGroup
    upon: Upon
    version: int

    def do(self, handle: Handle) -> Changes:
        settings, group, upon, version = self.settings, self.group, self.upon, self.version
        size = settings.feast.write_chunk_rows

        def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            store, layout = worker_store(settings, group), Layout.of(group)
            changes = joined([])
            for batch in batches:
                ids = batch[ENTITY].to_pylist()
                for first in range(0, len(ids), size):
                    more = each_older(store, layout, ids[first : first + size], upon, version, handle)
                    changes = summed(np.concatenate([changes, more]))
            yield pa.RecordBatch.from_pydict({"changes": [changes.tobytes()]}, CHANGES)

        return joined(row["changes"] for row in self.touched.mapInArrow(work, CHANGES_DDL).collect())
