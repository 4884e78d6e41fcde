"""SQL over the lake: DuckDB reads the tables that a query names, through delta-rs."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from config.errors import TerminalError
from config.settings import Settings
from data_lake.arrow import source
from data_lake.delta_rs import open_table
from data_lake.tables import Table, tables


class QueryError(TerminalError):
    """SQL that DuckDB cannot run: a syntax error, an unknown table or column."""


@contextmanager
def connect(settings: Settings, sql: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection on which ``sql`` can run; it calls tables ``silver.transactions``, ``quarantine."shop.click.v1"``.

    Raises:
        QueryError: DuckDB refuses what runs on the connection; the message is DuckDB's.
        MissingTableError: a table of the query was never written.
        UnreadableTableError: a table of the query has a feature that delta-rs cannot read.
    """
    connection = duckdb.connect()
    try:
        connection.execute("SET TimeZone = 'UTC'")
        for table in _named_tables(sql):
            _attach(connection, table, settings)
        yield connection
    except duckdb.Error as error:
        raise QueryError(f"{error}{_hint(error)}") from error
    finally:
        connection.close()


def sql_name(table: Table) -> str:
    """How a query calls ``table``."""
    schema, name = table.name.split("/", 1)
    return f'{schema}."{name}"' if "." in name else f"{schema}.{name}"


def _named_tables(sql: str) -> list[Table]:
    """The declared tables that ``sql`` names, quoted or not; naming one in a comment does no harm."""
    text = re.sub(r'"|\s*(?=\.)|(?<=\.)\s*', "", sql)
    return [table for table in tables().values() if re.search(_pattern(table), text, re.IGNORECASE)]


def _pattern(table: Table) -> str:
    return rf"(?<![\w.]){re.escape(table.name.replace('/', '.', 1))}(?![\w.])"


def _attach(connection: duckdb.DuckDBPyConnection, table: Table, settings: Settings) -> None:
    schema = table.name.split("/", 1)[0]
    rows = f"delta:{table.name}"
    connection.register(rows, source(open_table(table, settings)))
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    connection.execute(f'CREATE VIEW {sql_name(table)} AS SELECT * FROM "{rows}"')  # noqa: S608 - declared names


def _hint(error: duckdb.Error) -> str:
    if not isinstance(error, duckdb.CatalogException):
        return ""
    return f"\nTables: {', '.join(sql_name(table) for table in tables().values())}"
