"""Upkeep of a table: rows past their retention, small files, files that no version needs.

All of it through delta-rs, beside a running stream: Delta lets the first commit win. The stream's MERGE starts again
when a merge of files came first; a merge of files that loses is left for the next run.
"""

import logging
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError

from data_lake.arrow import has_deletion_vectors, needs_engine, source
from data_lake.table import Table
from tidemill.config.errors import TerminalError

INGEST_DATE = "ingest_date"
TARGET_BYTES = 128 * 1024 * 1024
TIERS_BYTES = (32 * 1024, 800 * 1024, 20_000 * 1024)
"""What files of each tier are merged to: 25 times the tier before."""
MANY = 50
"""So many files of one tier of a partition are merged while the stream writes."""
logger = logging.getLogger(__name__)


class RetentionError(TerminalError):
    """A retention that the table's layout cannot carry out."""


class UpkeepError(TerminalError):
    """Tables that could not be brought in order, each with why; all others were."""


@dataclass(frozen=True)
class Upkeep:
    """What was done to one table."""

    name: str
    rows_expired: int
    files_merged: int
    files_written: int
    files_removed: int


def maintain(table: Table, delta: DeltaTable, vacuum_hours: int, today: date | None = None) -> Upkeep:
    """Bring ``delta`` in order; files that no version of the last ``vacuum_hours`` has are removed.

    So is what a writer that was killed left behind: folders are listed, since a checkpoint forgets files that were
    removed longer ago than the table's ``delta.deletedFileRetentionDuration``, a week. Beyond that, a file's age is the
    time since it was written, as it is of files of the change feed. A list would take deletion vectors for files of no
    version: of a table that has them only what the log remembers goes.

    Raises:
        RetentionError: ``table`` has a retention but is not partitioned by ``ingest_date``.
        UnreadableTableError: it has a feature that delta-rs does not know; nothing was done.
    """
    source(delta)
    expired = _expire(table, delta, today or datetime.now(UTC).date())
    merged, written = _compact(table, delta, TARGET_BYTES)
    is_listed = not has_deletion_vectors(delta)
    removed = delta.vacuum(retention_hours=vacuum_hours, dry_run=False, full=is_listed)
    delta.create_checkpoint()
    delta.cleanup_metadata()
    return Upkeep(table.name, expired, merged, written, len(removed))


@dataclass
class SmallFiles:
    """Merges the small files of a table that is written bit by bit, when many of one tier have gathered.

    A file is of the first tier whose target it has less than half of; one of at least half the last target is left
    alone. Files that are merged to a target have about as many bytes as it, or more. So for each byte written, a tier
    rewrites that byte and at most about two more, of smaller files and of one that the target leaves room in: some nine
    bytes in all three tiers, however large the partition is.

    To be told of each commit by its one writer, which then goes on upon the merged table.
    """

    table: Table
    _commits: int = MANY
    """The first commit takes a look too: a process before this one may have left many."""

    def committed(self, delta: DeltaTable) -> None:
        """Merge those of each partition and tier that has :data:`MANY`."""
        self._commits += 1
        if self._commits < MANY:
            return
        self._commits = 0
        if self.table.partition_by and not needs_engine(delta):
            for value, target in _crowded(delta, self.table.partition_by[0]):
                _compact(self.table, delta, target, [(self.table.partition_by[0], "=", value)])


def _crowded(delta: DeltaTable, partition: str) -> list[tuple[str, int]]:
    """The values of ``partition`` with many files of a tier, and the target of that tier; the smallest come first."""
    actions = pa.table(delta.get_add_actions(flatten=True))
    sizes = zip(actions[f"partition.{partition}"].to_pylist(), actions["size_bytes"].to_pylist(), strict=True)
    tiers = Counter((str(value), next((at for at in TIERS_BYTES if 2 * size < at), 0)) for value, size in sizes)
    crowded = [tier for tier, files in tiers.items() if files >= MANY and tier[1]]
    return sorted(crowded, key=lambda tier: tier[1])


def _expire(table: Table, delta: DeltaTable, today: date) -> int:
    """Drop whole ``ingest_date`` partitions older than the retention; the rows dropped."""
    if table.retention_days is None:
        return 0
    if INGEST_DATE not in table.partition_by:
        raise RetentionError(f"{table.name}: retention_days needs a table partitioned by {INGEST_DATE}")
    first_kept = today - timedelta(days=table.retention_days)
    deleted = delta.delete(f"{INGEST_DATE} < '{first_kept.isoformat()}'")
    return int(deleted.get("num_deleted_rows") or 0)


def _compact(
    table: Table, delta: DeltaTable, target_bytes: int, partitions: list[tuple[str, str, str]] | None = None
) -> tuple[int, int]:
    """Merge files smaller than ``target_bytes``; how many, and into how many."""
    if needs_engine(delta):
        logger.warning(
            "%s: delta-rs does not merge its small files, Spark does: OPTIMIZE delta.`%s`", table.name, delta.table_uri
        )
        return 0, 0
    try:
        metrics = delta.optimize.compact(partition_filters=partitions, target_size=target_bytes)
    except CommitFailedError as error:
        logger.warning("%s: another commit came first, its small files wait for the next run: %s", table.name, error)
        return 0, 0
    return int(metrics["numFilesRemoved"]), int(metrics["numFilesAdded"])
