"""Upkeep of a table: rows past their retention, small files, files that no version needs.

All of it through delta-rs, beside a running stream: Delta lets the first commit win. The stream's MERGE starts again
when a merge of files came first; a merge of files that loses is left for the next run.
"""

import logging
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError

from data_lake.arrow import needs_engine, source
from data_lake.tables import Table
from tidemill.config.errors import TerminalError

INGEST_DATE = "ingest_date"
TARGET_BYTES = 128 * 1024 * 1024
logger = logging.getLogger(__name__)


class RetentionError(TerminalError):
    """A retention that the table's layout cannot carry out."""


@dataclass(frozen=True)
class Upkeep:
    """What was done to one table."""

    name: str
    rows_expired: int
    files_merged: int
    files_written: int
    files_removed: int


def maintain(table: Table, delta: DeltaTable, vacuum_hours: int, today: date | None = None) -> Upkeep:
    """Bring ``delta`` in order; files of versions older than ``vacuum_hours`` are removed.

    Raises:
        RetentionError: ``table`` has a retention but is not partitioned by ``ingest_date``.
        UnreadableTableError: it has a feature that delta-rs does not know; nothing was done.
    """
    source(delta)
    expired = _expire(table, delta, today or datetime.now(UTC).date())
    merged, written = _compact(table, delta)
    removed = delta.vacuum(retention_hours=vacuum_hours, dry_run=False)
    delta.create_checkpoint()
    delta.cleanup_metadata()
    return Upkeep(table.name, expired, merged, written, len(removed))


def _expire(table: Table, delta: DeltaTable, today: date) -> int:
    """Drop whole ``ingest_date`` partitions older than the retention; the rows dropped."""
    if table.retention_days is None:
        return 0
    if INGEST_DATE not in table.partition_by:
        raise RetentionError(f"{table.name}: retention_days needs a table partitioned by {INGEST_DATE}")
    first_kept = today - timedelta(days=table.retention_days)
    deleted = delta.delete(f"{INGEST_DATE} < '{first_kept.isoformat()}'")
    return int(deleted.get("num_deleted_rows") or 0)


def _compact(table: Table, delta: DeltaTable) -> tuple[int, int]:
    """Merge small files; how many, and into how many."""
    if needs_engine(delta):
        logger.warning(
            "%s: delta-rs does not merge its small files, Spark does: OPTIMIZE delta.`%s`", table.name, delta.table_uri
        )
        return 0, 0
    try:
        metrics = delta.optimize.compact(target_size=TARGET_BYTES)
    except CommitFailedError as error:
        logger.warning("%s: another commit came first, its small files wait for the next run: %s", table.name, error)
        return 0, 0
    return int(metrics["numFilesRemoved"]), int(metrics["numFilesAdded"])
