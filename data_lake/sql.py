"""SQL over the lake: DuckDB reads the tables that a query names, through delta-rs, and nothing else.

It opens no file by itself: delta-rs does, for the tables that are registered.
"""

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from data_lake.arrow import source
from data_lake.delta_rs import open_table
from data_lake.table import Table
from data_lake.tables import tables
from tidemill.config.errors import TerminalError
from tidemill.config.settings import Settings

READS = {duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN, duckdb.StatementType.MULTI}
"""The kinds of statements that answer rows and change nothing; a pivot is the last."""
CLOSED = (
    "SET python_enable_replacements = false",
    "SET enable_external_access = false",
    "SET lock_configuration = true",
)


class QueryError(TerminalError):
    """SQL that DuckDB cannot run: a syntax error, an unknown table or column, or what is no query of the lake."""


@contextmanager
def connect(settings: Settings, sql: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection on which ``sql`` can run; it calls tables ``silver.transactions``, ``quarantine."shop.click.v1"``.

    Raises:
        QueryError: ``sql`` is not one query, or DuckDB refuses what runs on the connection: then the message is its.
        MissingTableError: a table of the query was never written.
        UnreadableTableError: a table of the query has a feature that delta-rs cannot read.
    """
    connection = duckdb.connect()
    with tempfile.TemporaryDirectory(prefix="tidemill-sql-") as spill:
        try:
            _check_is_one_query(connection, sql)
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute(f"SET temp_directory = {_quoted(spill)}")
            for table in _named_tables(sql):
                _attach(connection, table, settings)
            for setting in CLOSED:
                connection.execute(setting)
            yield connection
        except duckdb.Error as error:
            raise QueryError(f"{error}{_hint(error)}") from error
        finally:
            connection.close()


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _check_is_one_query(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    kinds = [statement.type for statement in connection.extract_statements(sql)]
    if len(kinds) != 1:
        raise QueryError(f"one query at a time: these are {len(kinds)} statements")
    if kinds[0] not in READS:
        raise QueryError(f"the lake's tables are read, never written: {kinds[0].name} is no query")


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
    if isinstance(error, duckdb.PermissionException):
        return "\nA query reads the lake's tables, and no other file"
    if not isinstance(error, duckdb.CatalogException):
        return ""
    return f"\nTables: {', '.join(sql_name(table) for table in tables().values())}"
