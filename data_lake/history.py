"""The commits of a Delta table, as a person wants to read them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from deltalake import DeltaTable

# As Spark and delta-rs name them.
ADDED = ("numTargetRowsInserted", "numOutputRows", "num_added_rows", "num_target_rows_inserted")
REMOVED = ("numTargetRowsDeleted", "numDeletedRows", "num_deleted_rows", "num_target_rows_deleted")


@dataclass(frozen=True)
class Commit:
    """One commit; ``rows_added`` and ``rows_removed`` are None where the writer did not say."""

    version: int
    time: datetime
    operation: str
    rows_added: int | None
    rows_removed: int | None
    user_metadata: str | None


def commits(delta: DeltaTable, limit: int) -> Iterator[Commit]:
    """The newest ``limit`` commits of ``delta``, newest first."""
    for entry in delta.history(limit):
        metrics = entry.get("operationMetrics", {})
        yield Commit(
            version=entry["version"],
            time=datetime.fromtimestamp(entry["timestamp"] / 1000, UTC),
            operation=entry["operation"],
            rows_added=_count(metrics, ADDED),
            rows_removed=_count(metrics, REMOVED),
            user_metadata=entry.get("userMetadata"),
        )


def _count(metrics: dict[str, Any], names: tuple[str, ...]) -> int | None:
    return next((int(metrics[name]) for name in names if name in metrics), None)
