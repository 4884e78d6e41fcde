"""Bringing the tables to the version that this code knows."""

import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, column, func, inspect, select, table

from monitoring.control.errors import ControlStoreNewerError
from monitoring.control.schema import VERSION, VERSION_TABLE

if TYPE_CHECKING:
    from alembic.config import Config

SCRIPTS = Path(__file__).parent / "migrations"
LOCK = 7_161_035_829_402_551
"""Of PostgreSQL's advisory locks, the one whose holder migrates."""
WAIT_S = 30.0
_alembic = threading.Lock()  # its context is a global of the process


def migrate(engine: Engine, place: str) -> None:
    """Makes the tables, or brings older ones to today's version; where they are of today nothing is written.

    Raises:
        ControlStoreNewerError: a later version of the platform made them.
    """
    with engine.connect().execution_options(is_reading=True) as connection:
        if version(connection) == VERSION:
            return
    if engine.dialect.name == "sqlite":
        _write_ahead(engine.url.database or "")
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(select(func.pg_advisory_xact_lock(LOCK)))
        there = version(connection)
        if there == VERSION:
            return
        _upgrade(connection, there, place)


def version(connection: Connection) -> str | None:
    """The migration that the tables have come to, None where there are none."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    there: str | None = connection.execute(select(column("version_num")).select_from(table(VERSION_TABLE))).scalar()
    return there


def configuration(connection: Connection) -> "Config":
    """Alembic's, for one connection whose transaction the caller ends."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _upgrade(connection: Connection, there: str | None, place: str) -> None:
    from alembic import command
    from alembic.script import ScriptDirectory

    config = configuration(connection)
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if there is not None and there not in known:
        raise ControlStoreNewerError(
            f"the control store at {place} is of version {there}, this platform knows {VERSION}: "
            "a later one has migrated it; upgrade the platform here, or name another database in control.url"
        )
    with _alembic:
        command.upgrade(config, VERSION)


def _write_ahead(file: str) -> None:
    """Readers and a writer do not wait for each other. The file keeps the mode; SQLite does not wait to change it."""
    deadline = time.monotonic() + WAIT_S
    with closing(sqlite3.connect(file)) as connection:
        while time.monotonic() < deadline:
            try:
                connection.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorname in {"SQLITE_BUSY", "SQLITE_LOCKED"}:
                    time.sleep(0.05)
                    continue
            return  # where it cannot be, the transaction that follows says why
