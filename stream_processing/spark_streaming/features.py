"""Silver to states: each commit of silver's change feed is applied to the online states of a feature group, once.

A batch that is run again finds in each state which commit it took in last, and leaves out what is not newer. A commit
that did more than insert corrects states: ``feature_store.correcting``.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql.streaming.query import StreamingQuery

from config.errors import TransientError
from config.settings import Settings
from data_lake import commits
from data_lake.log import commit, commits_since
from data_lake.tables import table
from feature_store.applying import COMMIT, Anew, apply_to_states
from feature_store.bootstrap import bootstrap
from feature_store.catalog import state_view_name
from feature_store.correcting import (
    ChangedCommit,
    changed_commits,
    correct,
    forget_marked,
    inserted_events,
    touched_entities,
)
from feature_store.corrections import Correction, record
from feature_store.definitions import FeatureGroup
from feature_store.states import Applied, StateStore
from stream_processing.spark_streaming.query import checkpoint, start

logger = logging.getLogger("tidemill.stream")
READ_OF_LOG = 64
"""Beyond so many commits since the batch before, the rows of a batch are looked at instead of the log."""
HEARD_AFTER_S = 2.0
"""Readers ask once a second how far the states have come: by then they have heard."""


class StatesLostError(TransientError):
    """The online store no longer knows of states that this query keeps up to date."""


def query_name(group: FeatureGroup) -> str:
    """Another definition is another query, with a checkpoint of its own."""
    return f"features/{state_view_name(group)}"


@dataclass
class FeatureQuery:
    """Starts the query that keeps the states of a group, again after each failure.

    When silver's history no longer has what the query would read next, its states are made anew.
    """

    spark: SparkSession
    settings: Settings
    group: FeatureGroup
    last: StreamingQuery | None = field(default=None, init=False)

    def __call__(self) -> StreamingQuery:
        error = self.last.exception() if self.last is not None else None
        gone = commits.gone(error) if error is not None else None
        if gone is not None:
            logger.warning("silver no longer has what %s reads next (%s): its states are made anew", self.name, gone)
        self.last = start_features(self.spark, self.settings, self.group, anew=gone is not None)
        return self.last

    @property
    def name(self) -> str:
        return query_name(self.group)


def start_features(
    spark: SparkSession, settings: Settings, group: FeatureGroup, *, anew: bool = False
) -> StreamingQuery:
    """The running query that keeps the states of ``group``; made from all of silver first where there are none."""
    made = bootstrap(spark, settings, group, anew=anew)
    if not made.reason:
        forget_checkpoint(spark, settings, group)
    options = {
        "readChangeFeed": "true",
        # What the states were made from is left out of every batch.
        "startingVersion": str(made.version),
        "maxFilesPerTrigger": str(settings.stream.max_files_per_trigger),
    }
    changes = spark.readStream.format("delta").options(**options).load(table(group.source.table).path(settings))
    writer = changes.writeStream.foreachBatch(batch_applier(settings, group))
    return start(spark, settings, writer, query_name(group), settings.stream.poll_s)


def forget_checkpoint(spark: SparkSession, settings: Settings, group: FeatureGroup) -> None:
    """Start over: what a query of before would read next says nothing of states that were made since."""
    context: Any = spark.sparkContext
    folder = context._jvm.org.apache.hadoop.fs.Path(checkpoint(settings, query_name(group)))
    folder.getFileSystem(context._jsc.hadoopConfiguration()).delete(folder, True)


def batch_applier(settings: Settings, group: FeatureGroup) -> Callable[[DataFrame, int], None]:
    """What to do with one batch of silver's changes."""
    applier = _Applier(settings, group, StateStore(settings, group))

    def write(changes: DataFrame, batch_id: int) -> None:
        spark = changes.sparkSession
        spark.sparkContext.setLocalProperty("spark.scheduler.pool", query_name(group))
        spark.sparkContext.setJobDescription(f"{query_name(group)} batch {batch_id}")
        applier.apply(changes)

    return write


@dataclass
class _Applier:
    """Applies the batches of one query, one after the other; ``seen`` is how far in silver's log it has come."""

    settings: Settings
    group: FeatureGroup
    store: StateStore
    seen: int | None = None

    def apply(self, changes: DataFrame) -> None:
        before = self.store.applied()
        if before is None:
            raise StatesLostError(f"the online store lost the states of {self.group.name}: they are made anew")
        if before.rebuilding_since:
            raise StatesLostError(f"the states of {self.group.name} are being made anew: this query goes on after that")
        news = changes.where(F.col(COMMIT) > before.made)
        if self._only_inserts():
            self._insert(news, before)
            return
        found = changed_commits(news, self.group)
        corrections = [changed for changed in found if changed.rows]
        if corrections:
            self._correct(news, before, corrections, found[-1].version)
        elif found:
            self._insert(news, before)

    def _only_inserts(self) -> bool:
        """Whether the log says so of all commits since the batch before: a batch holds none but these."""
        if self.seen is None:
            return False
        since = commits_since(table(self.group.source.table), self.settings, self.seen, READ_OF_LOG)
        return since is not None and not any(one.has_removals for one in since)

    def _insert(self, changes: DataFrame, before: Applied) -> None:
        started, buckets = time.time_ns() // 1000, self.settings.spark.shuffle_partitions
        counts = apply_to_states(inserted_events(changes, self.group), self.settings, self.group, buckets)
        if counts["events"]:
            self._note(before, counts["version"], counts["known"], started)

    def _correct(self, changes: DataFrame, before: Applied, corrections: list[ChangedCommit], version: int) -> None:
        started = time.time_ns() // 1000
        logger.info(
            "%s: versions %s of %s changed rows that were there: the states of their entities are made anew",
            query_name(self.group),
            [commit.version for commit in corrections],
            self.group.source.table,
        )
        touched = touched_entities(changes, self.group).persist(StorageLevel.MEMORY_AND_DISK)
        try:
            counts = correct(changes, touched, self.settings, self.group, Anew(started, version))
            self._record(before, corrections)
            self._note(before, version, counts["known"], started)
            # An answer that there is no state must not come from a reader that has not heard of this version.
            time.sleep(HEARD_AFTER_S)
            forget_marked(touched, self.settings, self.group, version)
        finally:
            touched.unpersist()

    def _record(self, before: Applied, corrections: list[ChangedCommit]) -> None:
        source, group = table(self.group.source.table), self.group
        found = [(changed, commit(source, self.settings, changed.version)) for changed in corrections]
        record(
            self.settings,
            [
                Correction(
                    corrected_at=datetime.now(UTC),
                    feature_group=group.name,
                    fingerprint=group.fingerprint,
                    source=source.name,
                    source_id=before.table_id,
                    version=changed.version,
                    operation=logged.operation if logged else "unknown",
                    rows=changed.rows,
                    entities=changed.entities,
                )
                for changed, logged in found
            ],
        )

    def _note(self, before: Applied, version: int, known: int, started: int) -> None:
        self.store.note_applied(
            Applied(before.table_id, max(before.version, version), max(before.known_until, known), started, before.made)
        )
        self.seen = version
