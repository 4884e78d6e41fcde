"""Delta tables as Arrow data: the rows that Delta says, in the types that the table declares, whoever wrote them.

Everything that reads rows through delta-rs reads them from here.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, QueryBuilder
from deltalake.exceptions import DeltaError
from deltalake.table import SUPPORTED_READER_FEATURES
from pyarrow.dataset import Dataset, ParquetReadOptions
from pyarrow.fs import PyFileSystem

from data_lake.parquet_types import OwnTypes
from tidemill.config.errors import TerminalError

# Spark writes times as INT96, which Arrow would read as nanoseconds: those end in 2262.
TIMES = ParquetReadOptions(coerce_int96_timestamp_unit="us")
ENGINE = {"datafusion.execution.parquet.coerce_int96": "us"}
COLUMN_MAPPING = "delta.columnMapping.mode"


class UnreadableTableError(TerminalError):
    """A table with a feature that delta-rs cannot read: it is refused, never read wrongly."""


@dataclass(frozen=True)
class Scan:
    """A table that only delta-rs' own engine reads rightly, as a stream that DuckDB can open more than once.

    Slower than a data set: it reads every file and column whatever the query asks for.
    """

    delta: DeltaTable

    def __arrow_c_stream__(self, requested_schema: object = None) -> Any:
        return scan(self.delta).__arrow_c_stream__(requested_schema)


def source(delta: DeltaTable) -> Dataset | Scan:
    """The rows of ``delta`` in a form that DuckDB can register, and push filters and columns into where that helps.

    Raises:
        UnreadableTableError: delta-rs has no reader for a feature of the table.
    """
    if not needs_engine(delta):
        return dataset(delta)
    scan(delta)
    return Scan(delta)


def batches(
    delta: DeltaTable, columns: Sequence[str], rows: int, where: pc.Expression | None = None
) -> Iterator[pa.RecordBatch]:
    """``columns`` of every row, or of those for which ``where`` over them holds, about ``rows`` at a time.

    Little is read ahead.

    Raises:
        UnreadableTableError: delta-rs has no reader for a feature of the table.
    """
    if needs_engine(delta):
        for batch in scan(delta, columns):
            chosen = batch if where is None else batch.filter(where)
            yield from (chosen.slice(start, rows) for start in range(0, len(chosen), rows))
        return
    chosen_files = dataset(delta)
    yield from chosen_files.scanner(
        columns=list(columns), filter=where, batch_size=rows, batch_readahead=2, fragment_readahead=1
    ).to_batches()


def scan(delta: DeltaTable, columns: Sequence[str] | None = None) -> pa.RecordBatchReader:
    """A stream of ``columns`` (None: all) read by delta-rs' engine, which knows deletion vectors and mapped columns.

    Raises:
        UnreadableTableError: it does not know another feature of the table.
    """
    schema = pa.schema(delta.schema().to_arrow())
    wanted = schema if columns is None else pa.schema([schema.field(name) for name in columns])
    names = ", ".join('"' + name.replace('"', '""') + '"' for name in wanted.names)
    try:
        engine = QueryBuilder(ENGINE).register("rows", delta)
        reader = pa.RecordBatchReader.from_stream(engine.execute(f"SELECT {names} FROM rows"))  # noqa: S608 - quoted
    except DeltaError as error:
        raise UnreadableTableError(_refusal(delta, error)) from error
    return reader.cast(wanted)


def count(delta: DeltaTable) -> int:
    """The rows of ``delta``, from its files: some of what the log's numbers count may be deleted."""
    return sum(len(batch) for batch in scan(delta, delta.schema().to_arrow().names[:1]))


def needs_engine(delta: DeltaTable) -> bool:
    """Whether the files alone do not tell the rows: some are deleted, or columns have other names in them.

    Column mapping in its oldest form is told by a property of the table only.
    """
    features = set(delta.protocol().reader_features or ())
    return has_mapped_columns(delta) or not features <= SUPPORTED_READER_FEATURES


def has_mapped_columns(delta: DeltaTable) -> bool:
    """Whether columns have other names in the files of ``delta``."""
    return bool(delta.metadata().configuration.get(COLUMN_MAPPING, "none") != "none")


def has_deletion_vectors(delta: DeltaTable) -> bool:
    """Whether rows of its files may be deleted: what the log says of a file then counts them too."""
    return "deletionVectors" in (delta.protocol().reader_features or ())


def dataset(delta: DeltaTable) -> Dataset:
    """The files of ``delta``, for what must look at each.

    Raises:
        UnreadableTableError: the files alone do not tell its rows.
    """
    if needs_engine(delta):
        raise UnreadableTableError(_refusal(delta, "its files alone do not tell its rows"))
    # As DeltaTable.to_pyarrow_dataset makes its own file system, sizes known so that no file is asked for its own.
    handler = OwnTypes.from_table(delta._table, delta._storage_options, delta._table.get_add_file_sizes())
    return delta.to_pyarrow_dataset(filesystem=PyFileSystem(handler), parquet_read_options=TIMES)


def _refusal(delta: DeltaTable, why: object) -> str:
    features = sorted(set(delta.protocol().reader_features or ()) - SUPPORTED_READER_FEATURES) or ["columnMapping"]
    return (
        f"the table at {delta.table_uri} has features (of {', '.join(features)}) that delta-rs cannot read: {why}; "
        f"Spark can take one away: ALTER TABLE delta.`{delta.table_uri}` DROP FEATURE {features[0]}"
    )
