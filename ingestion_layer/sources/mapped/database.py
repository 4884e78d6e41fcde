"""A relational table, read in an order that can be taken up again, in chunks, by the driver's own values."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    ExceptionContext,
    NullPool,
    Select,
    column,
    create_engine,
    event,
    func,
    inspect,
    make_url,
    select,
    table,
    tuple_,
)
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, NoSuchModuleError, OperationalError

from ingestion_layer.sources.mapped.formats.reading import ROWS_AT_ONCE
from tidemill.config.errors import TerminalError, TransientError, nearest

REFUSED = re.compile(r"FATAL: .*(?:authentication failed|does not exist|no pg_hba\.conf entry)")


class UnusableUrlError(TerminalError):
    """A URL that leads to no database; what is told of it has no password."""


class DatabaseError(TerminalError):
    """The database refused, or the table is not as the mapping has it."""


class DatabaseUnavailableError(TransientError):
    """The database did not answer, or broke off."""


def readable_url(text: str) -> URL:
    """The URL, if it is one.

    Raises:
        UnusableUrlError: it is not.
    """
    try:
        url = make_url(text)
        url.get_dialect()
    except (ArgumentError, NoSuchModuleError, ImportError, ValueError) as error:
        said = "" if isinstance(error, ArgumentError) else f" ({error})"  # it would repeat what was given
        raise UnusableUrlError(
            f"the database's URL cannot be used{said}: write sqlite:////path/to/file or "
            "postgresql+psycopg://user:password@host/database"
        ) from error
    return url


def shown(url: URL) -> str:
    """What may be printed: without password and options."""
    return url.set(query={}).render_as_string(hide_password=True)


class Database:
    """A database at ``url``. Its errors are ours."""

    def __init__(self, url: URL) -> None:
        self.url = url
        self._engine: Engine = create_engine(url, poolclass=NullPool, hide_parameters=True)
        event.listen(self._engine, "handle_error", self._explain)

    @contextmanager
    def connected(self) -> Iterator[Connection]:
        """A connection that streams what it reads."""
        with self._engine.connect() as connection:
            yield connection.execution_options(stream_results=True, yield_per=ROWS_AT_ONCE)

    def _explain(self, context: ExceptionContext) -> None:
        error = context.original_exception
        told = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        password = self.url.password
        told = told.replace(str(password), "***") if password else told
        is_away = isinstance(context.sqlalchemy_exception, OperationalError | InterfaceError)
        if is_away and not _is_refused(error):
            raise DatabaseUnavailableError(f"{shown(self.url)} does not answer: {told}") from error
        if isinstance(context.sqlalchemy_exception, DBAPIError):
            raise DatabaseError(f"{shown(self.url)} refused: {told}") from error


def _is_refused(error: BaseException) -> bool:
    """PostgreSQL answered, and does not know the user, the password or the database: libpq tells it in words only."""
    return REFUSED.search(str(error)) is not None


class TableReading:
    """One table of a database."""

    def __init__(self, database: Database, name: str) -> None:
        self.database, self.name = database, name
        self._schema, _, self._table = name.rpartition(".")

    def check(self, columns: Sequence[str], reader: str) -> None:
        """That there is such a table with ``columns``, which ``reader`` reads.

        Raises:
            DatabaseError: there is not.
        """
        with self.database.connected() as connection:
            looked = inspect(connection)
            schema = self._schema or None
            tables = [*looked.get_table_names(schema), *looked.get_view_names(schema)]
            if self._table not in tables:
                raise DatabaseError(
                    f"{shown(self.database.url)} has no table {self.name!r}{nearest(self._table, tables)}"
                )
            there = [info["name"] for info in looked.get_columns(self._table, schema)]
        for name in columns:
            if name not in there:
                raise DatabaseError(
                    f"table {self.name!r} has no column {name!r}, which {reader} reads{nearest(name, there)}"
                )

    def count_without(self, name: str) -> int:
        """How many rows have no value in the column ``name``."""
        with self.database.connected() as connection:
            query = select(func.count()).select_from(self._from()).where(column(name).is_(None))
            return int(connection.execute(query).scalar_one())

    def rows(
        self, columns: Sequence[str], order: Sequence[str], after: Sequence[Any] | None, *, again: bool
    ) -> Select[*tuple[Any, ...]]:
        """The query of all rows beyond ``after``, values of ``order``.

        With ``again`` also of those at it, and of none without a value.
        """
        # Untyped columns: no value is made another on its way, as SQLAlchemy makes decimals of SQLite's floats.
        query: Any = select(*(column(name) for name in columns)).select_from(self._from())
        if again:
            query = query.where(*(column(name).is_not(None) for name in order))
        if after is not None:
            reached = tuple_(*(column(name) for name in order))
            query = query.where(reached >= tuple(after) if again else reached > tuple(after))
        ordered: Select[*tuple[Any, ...]] = query.order_by(*(column(name) for name in order))
        return ordered

    def chunks(self, query: Select[*tuple[Any, ...]]) -> Iterator[Sequence[tuple[Any, ...]]]:
        """The rows of ``query``, some at a time, as they were at one moment."""
        with self.database.connected() as connection:
            for partition in connection.execute(query).partitions():
                yield [tuple(row) for row in partition]

    def _from(self) -> Any:
        return table(self._table, schema=self._schema or None)
