"""What a Delta table's log says: its version, its identity, and the newest commit that changed rows."""

from dataclasses import dataclass

from delta import exceptions
from delta.tables import DeltaTable
from pyspark.sql import Row, SparkSession

CONFLICTS = (
    exceptions.ConcurrentAppendException,
    exceptions.ConcurrentDeleteDeleteException,
    exceptions.ConcurrentDeleteReadException,
    exceptions.ConcurrentTransactionException,
    exceptions.ConcurrentWriteException,
    exceptions.DeltaConcurrentModificationException,
    exceptions.MetadataChangedException,
    exceptions.ProtocolChangedException,
)
"""What Delta raises when another commit came first and both cannot hold; none of them is a base of the others."""

GONE = (
    "DELTA_CHANGE_DATA_FILE_NOT_FOUND",
    "DELTA_LOG_FILE_NOT_FOUND",
    "DELTA_MISSING_CHANGE_DATA",
    "DELTA_TRUNCATED_TRANSACTION_LOG",
    "DELTA_VERSION_NOT_FOUND",
    "FAILED_READ_FILE.FILE_NOT_EXIST",
)
"""What Delta and Spark say when a version or its changes were removed: by VACUUM, or by log retention."""

# Operations that leave every row as it was.
MAINTENANCE = frozenset(
    {
        "ADD COLUMNS",
        "ADD CONSTRAINT",
        "CHANGE COLUMN",
        "CLUSTER BY",
        "CREATE TABLE",
        "DROP CONSTRAINT",
        "OPTIMIZE",
        "REORG",
        "SET TBLPROPERTIES",
        "UNSET TBLPROPERTIES",
        "UPGRADE PROTOCOL",
        "VACUUM END",
        "VACUUM START",
    }
)
FIRST_LOOK = 16


@dataclass(frozen=True)
class Commit:
    """One commit; ``user_metadata`` is what its writer noted."""

    version: int
    operation: str
    user_metadata: str | None


def exists(spark: SparkSession, path: str) -> bool:
    return bool(DeltaTable.isDeltaTable(spark, path))


def current_version(spark: SparkSession, path: str) -> int:
    return _history(spark, path, 1)[0].version


def table_id(spark: SparkSession, path: str) -> str:
    """The identity Delta gave the table: another one when it was dropped and made again."""
    return str(DeltaTable.forPath(spark, path).detail().select("id").head()["id"])


def gone(error: Exception) -> str | None:
    """The condition that tells that the history asked for was removed; None for any other error."""
    return next((condition for condition in GONE if f"[{condition}" in str(error)), None)


def newest_change(spark: SparkSession, path: str) -> Commit | None:
    """The newest commit that may have changed rows; None when the log holds only maintenance."""
    limit = FIRST_LOOK
    while True:
        commits = _history(spark, path, limit)
        change = next((commit for commit in commits if commit.operation not in MAINTENANCE), None)
        if change is not None or len(commits) < limit:
            return change
        limit *= 8


def _history(spark: SparkSession, path: str, limit: int) -> list[Commit]:
    rows = DeltaTable.forPath(spark, path).history(limit).select("version", "operation", "userMetadata").collect()
    return [_commit(row) for row in rows]


def _commit(row: Row) -> Commit:
    return Commit(row["version"], row["operation"], row["userMetadata"])
