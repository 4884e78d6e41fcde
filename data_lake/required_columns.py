"""Columns that must have a value, in a table to which they were added: Spark only adds columns that may be null."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

from data_lake.arrow import scan
from data_lake.delta_rs import open_table
from data_lake.table import Table
from tidemill.config.settings import Settings


def require_columns(table: Table, settings: Settings) -> bool:
    """Write ``table`` anew with each column that is declared as always present as one; whether it had to be.

    One commit, a batch of rows in memory at a time. A null in such a column ends it, with nothing written.
    """
    delta = open_table(table, settings)
    before = pa.schema(delta.schema().to_arrow())
    required = {column.name for column in table.columns if not column.nullable}
    schema = pa.schema([field.with_nullable(field.nullable and field.name not in required) for field in before])
    if schema == before:
        return False
    rows = pa.RecordBatchReader.from_batches(schema, _checked(_read_apart(delta), schema))
    write_deltalake(delta, rows, mode="overwrite", schema_mode="overwrite", partition_by=list(table.partition_by))
    return True


def _checked(batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        made = pa.RecordBatch.from_arrays(batch.columns, schema=schema)
        made.validate(full=True)
        yield made


def _read_apart(delta: DeltaTable) -> Iterator[pa.RecordBatch]:
    """The rows of ``delta``, read by another thread: delta-rs cannot read in the thread that it writes in."""
    with ThreadPoolExecutor(max_workers=1) as reader:
        batches = reader.submit(lambda: iter(scan(delta))).result()
        while (batch := reader.submit(next, batches, None).result()) is not None:
            yield batch
