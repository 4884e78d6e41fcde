"""The control store on PostgreSQL: the same fixtures as `tests/unit/monitoring/control` has on SQLite."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from monitoring.control import ControlStore
from monitoring.control.schema import metadata
from tests.cases.control_stores import SetClock
from tests.integration.monitoring.control.postgres import PostgresServer, programs, running

ROWS = ", ".join(metadata.tables)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """The server; its folder has a short name, since a socket's path has room for 107 bytes."""
    place = programs()
    if place is None:
        pytest.skip("no initdb and postgres here: `make bootstrap` installs PostgreSQL")
    folder = Path(tempfile.mkdtemp(prefix="tidemill-postgres-"))
    folder.chmod(0o755)
    try:
        with running(folder, place) as server:
            server.execute("postgres", "CREATE DATABASE control", "CREATE DATABASE empty")
            with ControlStore(server.url("control")) as store:
                store.prepare()
            yield server
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def new_url(postgres: PostgresServer) -> Callable[[], str]:
    """Empties the tables of the one database that has them."""

    def new() -> str:
        postgres.execute("control", f"TRUNCATE {ROWS} RESTART IDENTITY")
        return postgres.url("control")

    return new


@pytest.fixture
def empty_url(postgres: PostgresServer) -> str:
    """Of a database without a table."""
    postgres.execute("empty", "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    return postgres.url("empty")


@pytest.fixture
def url(new_url: Callable[[], str]) -> str:
    return new_url()


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def store(url: str, clock: SetClock) -> Iterator[ControlStore]:
    with ControlStore(url, clock) as store:
        yield store
