"""The rows of a Delta table's files as Arrow, a bounded number at a time, whoever wrote the files."""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow.fs import PyFileSystem

from data_lake.log import CommitsGoneError

ROWS_A_BATCH = 65_536


def batches(files: PyFileSystem, path: str, schema: pa.Schema) -> Iterator[pa.Table]:
    """The columns of ``schema``; one that came to the table later than the file is null.

    Raises:
        CommitsGoneError: retention has removed the file.
    """
    try:
        opened = files.open_input_file(path)
    except FileNotFoundError as error:
        raise CommitsGoneError(f"the file {path} is gone") from error
    with opened:
        parquet = pq.ParquetFile(opened, coerce_int96_timestamp_unit="us")
        there = [field.name for field in parquet.schema_arrow if field.name in schema.names]
        for batch in parquet.iter_batches(ROWS_A_BATCH, columns=there):
            rows = pa.table(batch)
            for field in schema:
                if field.name not in there:
                    rows = rows.append_column(field, pa.nulls(len(rows), field.type))
            yield rows
