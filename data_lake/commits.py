"""What a Delta table's log says: its version, its identity, and the newest commit that changed rows.

delta-rs reads it in milliseconds, where Spark starts several jobs.
"""

from dataclasses import dataclass

from delta import exceptions
from deltalake import DeltaTable

from data_lake.delta_rs import location, open_table
from data_lake.table import Table
from tidemill.config.settings import Settings

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


def exists(table: Table, settings: Settings) -> bool:
    return DeltaTable.is_deltatable(location(table, settings), settings.lake.storage_options or None)


def current_version(table: Table, settings: Settings) -> int:
    return int(open_table(table, settings).version())


def table_id(table: Table, settings: Settings) -> str:
    """The identity Delta gave the table: another one when it was dropped and made again."""
    return str(open_table(table, settings).metadata().id)


def newest_change(table: Table, settings: Settings) -> Commit | None:
    """The newest commit that may have changed rows; None when the log holds only maintenance."""
    limit, log = FIRST_LOOK, open_table(table, settings)
    while True:
        commits = [Commit(one["version"], one["operation"], one.get("userMetadata")) for one in log.history(limit)]
        change = next((commit for commit in commits if commit.operation not in MAINTENANCE), None)
        if change is not None or len(commits) < limit:
            return change
        limit *= 8


def changed_by_others(delta: DeltaTable, since: int, token: str) -> bool:
    """Whether a commit after version ``since`` may have changed rows and has other metadata than ``token``."""
    if delta.version() < since:
        return True
    newer = delta.history(delta.version() - since) if delta.version() > since else []
    return any(commit["operation"] not in MAINTENANCE and commit.get("userMetadata") != token for commit in newer)


def gone(error: Exception) -> str | None:
    """The condition that tells that the history asked for was removed; None for any other error."""
    return next((condition for condition in GONE if f"[{condition}" in str(error)), None)
