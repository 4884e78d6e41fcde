"""Parquet: typed columns, read a batch of rows at a time. A row's line is its number, from 1."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ingestion_layer.sources.mapped.chunk import Chunk
from ingestion_layer.sources.mapped.formats.reading import ROWS_AT_ONCE, UnreadableFileError, check_columns
from ingestion_layer.sources.mapped.mapping import STRING, TIMESTAMP, SourceMapping, column_type
from ingestion_layer.sources.mapped.moments import BeyondCalendar
from tidemill.contracts.columns import ArrayType, ColumnType, MapType
from tidemill.contracts.registry import contract


class Parquet:
    """A Parquet file."""

    def __init__(self, path: Path, mapping: SourceMapping) -> None:
        self._path, self._mapping = path, mapping

    def check(self) -> int:
        """How many rows there are, if the file has an end and the mapping's columns, of types that it can read.

        Raises:
            UnreadableFileError: it has not.
        """
        try:
            with pq.ParquetFile(self._path) as file:
                check_columns(self._path, self._mapping, file.schema_arrow.names)
                self._check_types(file.schema_arrow)
                return int(file.metadata.num_rows)
        except (pa.ArrowException, OSError) as error:
            raise self._unreadable(error) from error

    def chunks(self, after: int) -> Iterator[Chunk]:
        """The rows beyond ``after``.

        Raises:
            UnreadableFileError: a part of it is damaged.
        """
        last = 0
        try:
            with pq.ParquetFile(self._path) as file:
                for batch in file.iter_batches(ROWS_AT_ONCE, columns=list(self._mapping.read_columns)):
                    first, last = last + 1, last + batch.num_rows
                    if last > after:
                        skipped = max(0, after - first + 1)
                        yield self._chunk(first + skipped, batch.slice(skipped))
        except (pa.ArrowException, OSError) as error:
            raise self._unreadable(error) from error

    def _chunk(self, first: int, batch: Any) -> Chunk:
        columns = {name: _cells(batch.column(name)) for name in self._mapping.read_columns}
        lines = range(first, first + batch.num_rows)
        return Chunk(lines[-1], lines, columns)

    def _check_types(self, schema: Any) -> None:
        said = self._mapping.declared
        targets = {
            name: column_type(contract(self._mapping.topic), column.property) for name, column in said.columns.items()
        }
        wanted = [*((name, targets.get(name, STRING)) for name in said.id), (said.time.column, TIMESTAMP)]
        for name, target in (*targets.items(), *wanted):
            kind = schema.field(name).type
            if target is not None and not _fits(kind, target):
                raise UnreadableFileError(
                    f"{self._path}: column {name!r} is of type {kind}, of which no {target.sql} can be made, as "
                    f"{self._mapping.file.name} has it: map another column, or write the file with another type"
                )

    def _unreadable(self, error: Exception) -> UnreadableFileError:
        return UnreadableFileError(
            f"{self._path}: not a whole Parquet file ({str(error).splitlines()[0]:.150}): is it cut off? Fetch it again"
        )


def _fits(kind: Any, target: ColumnType) -> bool:
    """Whether values of Parquet's type ``kind`` may become a ``target``; of texts only their content tells."""
    types = pa.types
    if types.is_dictionary(kind):
        kind = kind.value_type
    if types.is_string(kind) or types.is_large_string(kind) or types.is_null(kind):
        return True
    if isinstance(target, ArrayType | MapType):
        is_map = types.is_map(kind) or types.is_struct(kind)
        return bool(types.is_list(kind) if isinstance(target, ArrayType) else is_map)
    is_number = types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind)
    if target == TIMESTAMP:
        return bool(is_number or types.is_timestamp(kind) or types.is_date(kind))
    if target.sql == "BOOLEAN":
        return bool(types.is_boolean(kind) or types.is_integer(kind))
    if target == STRING:
        return bool(is_number or types.is_boolean(kind) or types.is_timestamp(kind) or types.is_date(kind))
    return bool(is_number)


def _cells(column: Any) -> Sequence[Any]:
    """Python's values; times beyond microseconds lose those digits, which no event has."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us", column.type.tz), safe=False)
    if pa.types.is_map(column.type):
        return [None if cell is None else dict(cell) for cell in column.to_pylist()]
    try:
        cells: list[Any] = column.to_pylist()
    except (OverflowError, ValueError):
        return [_cell(value) for value in column]
    return cells


def _cell(value: Any) -> Any:
    """Python's value; of a time that Python does not know, its number."""
    try:
        return value.as_py()
    except (OverflowError, ValueError):
        return BeyondCalendar(str(value.value))
