"""Delta tables opened by delta-rs: no JVM, ready in milliseconds."""

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError
from deltalake.fs import DeltaStorageHandler

from data_lake.arrow import count, has_deletion_vectors
from data_lake.table import Table
from data_lake.tables import tables
from tidemill.config.errors import TerminalError
from tidemill.config.settings import Settings


class MissingTableError(TerminalError):
    """A declared table that has not been written yet."""


@dataclass(frozen=True)
class TableStatistics:
    """One table as its log describes it; ``bytes`` counts the files of the newest version only."""

    name: str
    path: str
    version: int
    rows: int
    bytes: int


def open_table(table: Table, settings: Settings, version: int | None = None) -> DeltaTable:
    """A version of ``table``, the newest if none is given.

    Raises:
        MissingTableError: nothing has written it yet.
    """
    uri = location(table, settings)
    try:
        return DeltaTable(uri, version, storage_options=settings.lake.storage_options or None)
    except TableNotFoundError as error:
        message = f"table {table.name} does not exist at {uri}: start the stream, or run the job that makes it"
        raise MissingTableError(message) from error


def location(table: Table, settings: Settings) -> str:
    """The address of ``table`` as delta-rs spells it: ``s3://`` where Hadoop says ``s3a://``."""
    return _spelled(table.path(settings))


def checkpoint_storage(settings: Settings) -> DeltaStorageHandler:
    """The folder of all checkpoints, with the lake's own way to its store: no JVM is asked."""
    return DeltaStorageHandler(_spelled(settings.checkpoints), settings.lake.storage_options or None)


def _spelled(path: str) -> str:
    return f"s3://{path.removeprefix('s3a://')}" if path.startswith("s3a://") else path


def existing_tables(settings: Settings) -> Iterator[tuple[Table, DeltaTable]]:
    """The declared tables that exist, in the order of the flow."""
    for table in tables().values():
        try:
            delta = open_table(table, settings)
        except MissingTableError:
            continue
        yield table, delta


def statistics(table: Table, delta: DeltaTable, settings: Settings) -> TableStatistics:
    """Rows and bytes of ``delta``, added up from its log; counted where a writer did not note a file's rows."""
    actions = pa.table(delta.get_add_actions(flatten=True))
    size = int(pc.sum(actions.column("size_bytes")).as_py() or 0)
    return TableStatistics(table.name, table.path(settings), delta.version(), rows(delta), size)


def rows(delta: DeltaTable) -> int:
    """The rows of ``delta``, added up from its log; counted where a writer did not note a file's rows."""
    noted = pa.table(delta.get_add_actions(flatten=True)).column("num_records")
    return count(delta) if noted.null_count or has_deletion_vectors(delta) else int(pc.sum(noted).as_py() or 0)
