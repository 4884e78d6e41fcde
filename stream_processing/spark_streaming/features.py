"""Silver to states: each commit of silver's change feed is applied to the online states of a feature group, once.

A batch that is run again finds in each state which commit it took in last, and leaves out what is not newer. A commit
that did more than insert corrects states: ``feature_store.stream.correcting``.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql.streaming.query import StreamingQuery

from data_lake import commits
from data_lake.hadoop_files import read_text, remove, write_text
from data_lake.log import commit, commits_since
from data_lake.tables import table
from feature_store.catalog import state_view_name
from feature_store.consistency.corrections import Correction, record
from feature_store.definitions import FeatureGroup
from feature_store.states import Applied
from feature_store.states.ledger import Ledger
from feature_store.stream.applying import COMMIT, Counts, Upon, apply_to_states
from feature_store.stream.batches import apply_batch
from feature_store.stream.bootstrap import state_keeper
from feature_store.stream.correcting import (
    ChangedCommit,
    changed_commits,
    correct,
    forget_marked,
    inserted_events,
    touched_entities,
)
from feature_store.stream.keeping import StateKeeper
from stream_processing.spark_streaming.queries.checkpoints import read_up_to
from stream_processing.spark_streaming.queries.query import checkpoint, start
from tidemill.config.settings import Settings

logger = logging.getLogger("tidemill.stream")
READ_OF_LOG = 64
"""Beyond so many commits since the batch before, the rows of a batch are looked at instead of the log."""


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
    keeper: StateKeeper | None = field(default=None, init=False)
    last: StreamingQuery | None = field(default=None, init=False)

    def __call__(self) -> StreamingQuery:
        error = self.last.exception() if self.last is not None else None
        gone = commits.gone(error) if error is not None else None
        if gone is not None:
            logger.warning("silver no longer has what %s reads next (%s): its states are made anew", self.name, gone)
        self.keeper = self.keeper or state_keeper(self.spark, self.settings, self.group)
        self.last = start_features(self.spark, self.settings, self.keeper, anew=gone is not None)
        return self.last

    def start_over(self) -> None:
        """Stop the running query: who keeps it running calls again, and its states are made of the table there is."""
        if self.last is not None and self.last.isActive:
            logger.warning("the table that %s reads is another one now, or went back: it starts over", self.name)
            self.last.stop()

    @property
    def name(self) -> str:
        return query_name(self.group)


def start_features(
    spark: SparkSession, settings: Settings, keeper: StateKeeper, *, anew: bool = False
) -> StreamingQuery:
    """The running query that keeps the states of a group, after ``keeper`` has made them what its ledger says.

    Of all of silver, where there are none, or ``anew``.
    """
    group = keeper.group
    if anew:
        keeper.make_anew()
    ledger = keeper.start()
    name = query_name(group)
    _begin_checkpoint(spark, settings, name, ledger)
    options = {
        "readChangeFeed": "true",
        # What the states were made from is left out of every batch.
        "startingVersion": str(ledger.version),
        "maxFilesPerTrigger": str(settings.stream.max_files_per_trigger),
    }
    changes = spark.readStream.format("delta").options(**options).load(table(group.source.table).path(settings))
    writer = changes.writeStream.foreachBatch(batch_applier(settings, keeper))
    return start(spark, settings, writer, name, settings.stream.poll_s)


def _begin_checkpoint(spark: SparkSession, settings: Settings, name: str, ledger: Ledger) -> None:
    """Start over unless the checkpoint is of the ledger's epoch, and not ahead of it: it would leave commits out."""
    folder = checkpoint(settings, name)
    position = read_up_to(spark, settings, name).get("reservoirVersion", 0)
    if read_text(spark, f"{folder}/epoch") != str(ledger.epoch) or position > ledger.version + 1:
        remove(spark, folder)
        write_text(spark, f"{folder}/epoch", str(ledger.epoch))


def batch_applier(settings: Settings, keeper: StateKeeper) -> Callable[[DataFrame, int], None]:
    """What to do with one batch of silver's changes."""
    seen: int | None = None  # how far in silver's log the batches have come

    def write(changes: DataFrame, batch_id: int) -> None:
        nonlocal seen
        spark, name = changes.sparkSession, query_name(keeper.group)
        spark.sparkContext.setLocalProperty("spark.scheduler.pool", name)
        spark.sparkContext.setJobDescription(f"{name} batch {batch_id}")
        version = apply_batch(keeper, SparkBatch(settings, keeper.group, changes, seen))
        seen = seen if version is None else version

    return write


@dataclass
class SparkBatch:
    """A part of silver's change feed; ``seen`` is how far the batches before it have come."""

    settings: Settings
    group: FeatureGroup
    changes: DataFrame
    seen: int | None
    _touched: DataFrame | None = field(default=None, init=False)

    def only_inserts(self) -> bool:
        """Whether the log says so of all commits since the batch before: a batch holds none but these."""
        if self.seen is None:
            return False
        since = commits_since(table(self.group.source.table), self.settings, self.seen, READ_OF_LOG)
        return since is not None and not any(one.has_removals for one in since)

    def commits(self, upon: Upon) -> list[ChangedCommit]:
        """As ``Batch.commits``."""
        return changed_commits(self._news(upon), self.group)

    def insert(self, upon: Upon) -> Counts:
        """As ``Batch.insert``."""
        events = inserted_events(self._news(upon), self.group)
        return apply_to_states(events, self.settings, self.group, self.settings.spark.shuffle_partitions, upon)

    def correct(self, upon: Upon, version: int, at: int) -> Counts:
        """As ``Batch.correct``."""
        news = self._news(upon)
        self._touched = touched_entities(news, self.group).persist(StorageLevel.MEMORY_AND_DISK)
        return correct(news, self._touched, self.settings, self.group, upon, version, at)

    def record(self, before: Applied, corrections: Sequence[ChangedCommit]) -> None:
        """As ``Batch.record``."""
        source, group = table(self.group.source.table), self.group
        logger.info(
            "%s: versions %s of %s changed rows that were there: the states of their entities are made anew",
            query_name(group),
            [commit.version for commit in corrections],
            group.source.table,
        )
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

    def forget(self, upon: Upon, version: int) -> None:
        """As ``Batch.forget``."""
        if self._touched is not None:
            forget_marked(self._touched, self.settings, self.group, upon, version)

    def end(self) -> None:
        """As ``Batch.end``."""
        if self._touched is not None:
            self._touched.unpersist()

    def _news(self, upon: Upon) -> DataFrame:
        return self.changes.where(F.col(COMMIT) > upon.version)
