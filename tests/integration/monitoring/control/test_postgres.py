"""What only a server can do wrong."""

import time
from datetime import datetime

import pytest
from sqlalchemy import Connection, create_engine, make_url, text

from monitoring.control import ControlStore, ControlStoreAwayError, ControlStoreRefusedError, database
from monitoring.control.clock import database_clock
from tests.cases.control_stores import ask, request
from tests.integration.monitoring.control.postgres import PostgresServer

pytestmark = pytest.mark.loop


def test_a_server_that_comes_back_is_used_again(postgres: PostgresServer, url: str) -> None:
    with ControlStore(url) as store:
        made = request(store.requests.ask(ask()))
        postgres.stop()
        try:
            for _ in range(2):
                with pytest.raises(ControlStoreAwayError, match=r"does not answer .*: see that its database runs"):
                    store.requests.ask(ask())
        finally:
            postgres.start()
        assert request(store.requests.ask(ask())).id == made.id


def test_a_server_that_was_never_there_is_away() -> None:
    with (
        ControlStore("postgresql+psycopg://me:hidden@127.0.0.1:1/tidemill") as store,
        pytest.raises(ControlStoreAwayError, match="refused") as caught,
    ):
        store.requests.newest()
    assert "hidden" not in str(caught.value)


def test_a_lock_that_another_keeps_is_not_waited_for_without_end(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(database.POSTGRESQL_OPTIONS, "lock_timeout", "100ms")
    engine = create_engine(make_url(url))
    with ControlStore(url) as store, engine.connect() as other:
        store.requests.ask(ask())
        other.execute(text("SELECT * FROM use_cases FOR UPDATE"))
        with pytest.raises(ControlStoreAwayError, match="lock timeout"):
            store.requests.ask(ask())
        other.rollback()
        assert request(store.requests.ask(ask())).asked == 2
    engine.dispose()


def test_who_stops_within_a_transaction_loses_it_and_its_locks(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(database.POSTGRESQL_OPTIONS, "idle_in_transaction_session_timeout", "100ms")

    def stop(connection: Connection) -> datetime:
        time.sleep(1)
        return database_clock(connection)

    with ControlStore(url, stop) as stopped, ControlStore(url) as other:
        with pytest.raises(ControlStoreAwayError, match="idle-in-transaction timeout"):
            stopped.requests.ask(ask())
        assert request(other.requests.ask(ask())).asked == 1


def test_a_user_without_rights_is_refused(postgres: PostgresServer, url: str) -> None:
    postgres.execute("postgres", "DROP ROLE IF EXISTS guest", "CREATE ROLE guest LOGIN")
    with (
        ControlStore(make_url(url).set(username="guest")) as store,
        pytest.raises(ControlStoreRefusedError, match=r"permission denied .*: check control\.url and the rights there"),
    ):
        store.requests.newest()


def test_the_clock_goes_on_within_a_transaction(url: str) -> None:
    engine = create_engine(make_url(url))
    with engine.connect() as connection:
        first = database_clock(connection)
        connection.execute(text("SELECT pg_sleep(0.01)"))
        assert database_clock(connection) > first
        assert first.tzinfo is not None
    engine.dispose()
