"""The rows judged by ``rules.sql`` and kept on disk, so that a replay of any size needs little memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import duckdb

from ingestion_layer.sources.online_retail.reading import COLUMNS, SCHEMA, read_rows

RULES = Path(__file__).with_name("rules.sql")
MEMORY = "512MB"

RAW = ", ".join(f"raw_{name}" for name in COLUMNS)


class GoodRow(NamedTuple):
    """A row that the rules accept; ``unit_price`` is the decimal as text, ``quantity`` is negative in a return."""

    row: int
    record: str
    is_duplicate: bool
    invoice: str
    line: int
    customer_id: str | None
    stock_code: str
    description: str | None
    quantity: int
    unit_price: str
    country: str
    time: str


class RejectedRow(NamedTuple):
    """A row that is no event, with its cells as they were written."""

    row: int
    reason: str
    cells: tuple[str | None, ...]


class StagedRows:
    """Every row of one file with its verdict, in the order of the file."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self.count: int = connection.execute("SELECT count(*) FROM staged").fetchall()[0][0]

    def good(self, after: int, up_to: int) -> Iterator[GoodRow]:
        """The accepted rows with numbers in (``after``, ``up_to``]."""
        columns = self._connection.sql(_GOOD, params=[after, up_to]).to_arrow_table().to_pydict()
        return map(GoodRow._make, zip(*columns.values(), strict=True))

    def rejected(self, after: int, up_to: int) -> list[RejectedRow]:
        """The rejected rows with numbers in (``after``, ``up_to``]."""
        found = self._connection.execute(_REJECTED, [after, up_to]).fetchall()
        return [RejectedRow(row, reason, tuple(cells)) for row, reason, *cells in found]

    def cells(self, row: int) -> tuple[str | None, ...]:
        """The cells of one row as they were written."""
        found: tuple[str | None, ...] = self._connection.execute(_CELLS, [row]).fetchall()[0]
        return found


_GOOD = """
SELECT row, record, is_duplicate, invoice, line, customer_id, stock_code, description, quantity,
  CAST(unit_price AS VARCHAR) AS unit_price, country, strftime(time, '%Y-%m-%dT%H:%M:%S.%fZ') AS time
FROM staged WHERE row > ? AND row <= ? AND reason IS NULL ORDER BY row
"""
_REJECTED = f"""
SELECT row, reason, {RAW} FROM staged JOIN raw_rows USING (row)
WHERE row > ? AND row <= ? AND reason IS NOT NULL ORDER BY row
"""  # noqa: S608
_CELLS = f"SELECT {RAW} FROM raw_rows WHERE row = ?"  # noqa: S608


@contextmanager
def staged(path: Path, folder: Path) -> Iterator[StagedRows]:
    """The judged rows of the file at ``path``; ``folder`` holds them meanwhile.

    Raises:
        UnreadableFileError: the file cannot be read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    database = folder / "online_retail.duckdb"
    database.unlink(missing_ok=True)
    try:
        with duckdb.connect(str(database), config={"memory_limit": MEMORY, "threads": 2}) as connection:
            header_cells = _load(connection, path)
            connection.execute(f"CREATE TABLE staged AS {RULES.read_text('utf-8')}", {"header_cells": header_cells})
            yield StagedRows(connection)
    finally:
        database.unlink(missing_ok=True)


def _load(connection: duckdb.DuckDBPyConnection, path: Path) -> int:
    batches, header_cells = read_rows(path)
    connection.register("batch", SCHEMA.empty_table())
    connection.execute("CREATE TABLE raw_rows AS SELECT * FROM batch")
    for batch in batches:
        connection.register("batch", batch)
        connection.execute("INSERT INTO raw_rows SELECT * FROM batch")
    connection.unregister("batch")
    return header_cells
