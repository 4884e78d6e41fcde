"""The database behind the store: connections, transactions, and its failures as this project's errors."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import NullPool

from monitoring.control.clock import Clock, database_clock
from monitoring.control.errors import ControlStoreAwayError, ControlStoreRefusedError
from tidemill.config import strict_json

BUSY_S = 10
"""How long one may wait for another's transaction."""
CONNECT_S = 5
POSTGRESQL_OPTIONS = {
    "lock_timeout": f"{BUSY_S}s",
    "statement_timeout": "30s",
    # Whoever stops within a transaction (SIGSTOP, a lost network) loses it, and its locks.
    "idle_in_transaction_session_timeout": "30s",
}
FOR_GOOD = ("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH", "SQLITE_FULL")
"""SQLite's errors that waiting does not mend."""


class Database:
    """SQLite or PostgreSQL; its tables are made or migrated before the first transaction of this process."""

    def __init__(self, url: URL, clock: Clock = database_clock) -> None:
        self.place = url.render_as_string(hide_password=True)
        self._clock = clock
        self._engine = _sqlite(url) if url.get_backend_name() == "sqlite" else _postgresql(url)
        self._preparing = threading.Lock()
        self._is_prepared = False

    def close(self) -> None:
        self._engine.dispose()

    def now(self, connection: Connection) -> datetime:
        return self._clock(connection)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that is committed at its end, and rolled back by an error.

        Raises:
            ControlStoreAwayError, ControlStoreRefusedError, ControlStoreNewerError: as they say.
        """
        self.prepare()
        with self._errors(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that holds up nobody who writes; raises as :meth:`writing`."""
        self.prepare()
        with self._errors(), self._engine.connect().execution_options(is_reading=True) as connection:
            yield connection

    def prepare(self) -> None:
        """Makes or migrates the tables, once a process; of several processes one does it and the others wait."""
        from monitoring.control.migrate import migrate

        if self._is_prepared:
            return
        with self._preparing:
            if not self._is_prepared:
                with self._errors():
                    migrate(self._engine, self.place)
                self._is_prepared = True

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except PoolTimeoutError as error:
            raise ControlStoreAwayError(f"the control store at {self.place}: {error}; try again") from error
        except DBAPIError as error:
            cause = " ".join(str(error.orig).split())[:300]
            is_away = isinstance(error, (OperationalError, InterfaceError)) or error.connection_invalidated
            if is_away and not getattr(error.orig, "sqlite_errorname", "").startswith(FOR_GOOD):
                raise ControlStoreAwayError(
                    f"the control store at {self.place} does not answer ({cause}): see that its database runs, "
                    "then try again"
                ) from error
            raise ControlStoreRefusedError(
                f"the control store at {self.place} cannot be used ({cause}): check control.url and the rights there"
            ) from error


def _sqlite(url: URL) -> Engine:
    """Transactions begin as this project says, not as the driver does: who will write has the lock from the start."""
    file = Path(url.database or "")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ControlStoreRefusedError(f"the folder of {file} cannot be made: {error.strerror}") from error
    connect = {"timeout": BUSY_S}
    engine = create_engine(url, connect_args=connect, json_serializer=strict_json.dumps, poolclass=NullPool)

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        is_reading = connection.get_execution_options().get("is_reading", False)
        connection.exec_driver_sql("BEGIN" if is_reading else "BEGIN IMMEDIATE")

    return engine


def _postgresql(url: URL) -> Engine:
    options = " ".join(f"-c {name}={value}" for name, value in POSTGRESQL_OPTIONS.items())
    return create_engine(
        url,
        connect_args={"connect_timeout": CONNECT_S, "options": options},
        json_serializer=strict_json.dumps,
        pool_pre_ping=True,
    )
