from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, make_url, text

from monitoring.control import ControlStore, ControlStoreNewerError, State
from monitoring.control.migrate import configuration
from monitoring.control.schema import VERSION, VERSION_TABLE, metadata
from tests.cases.control_stores import ask, request


def on(url: str, act: Callable[[Any], Any]) -> Any:
    engine = create_engine(make_url(url))
    try:
        with engine.begin() as connection:
            return act(connection)
    finally:
        engine.dispose()


def versions(connection: Any) -> list[str]:
    return list(connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalars())  # noqa: S608 - our name


def test_the_first_use_makes_the_tables(empty_url: str) -> None:
    with ControlStore(empty_url) as store:
        assert request(store.requests.ask(ask())).state is State.REQUESTED
    assert on(empty_url, lambda connection: set(inspect(connection).get_table_names())) == {
        *metadata.tables,
        VERSION_TABLE,
    }


def test_the_migrations_make_what_the_code_declares(url: str) -> None:
    def differences(connection: Any) -> Any:
        context = MigrationContext.configure(
            connection, opts={"version_table": VERSION_TABLE, "compare_type": True, "compare_server_default": True}
        )
        return compare_metadata(context, metadata)

    assert on(url, differences) == []


def test_the_code_knows_the_newest_migration(url: str) -> None:
    heads = on(url, lambda connection: ScriptDirectory.from_config(configuration(connection)).get_heads())
    assert heads == [VERSION]


def test_an_open_key_is_unique_also_to_who_goes_past_the_code(url: str) -> None:
    (index,) = [
        index
        for index in on(url, lambda connection: inspect(connection).get_indexes("retrain_requests"))
        if index["name"] == "uq_retrain_requests_open"
    ]
    assert index["unique"]
    condition = next(str(value) for value in index["dialect_options"].values() if "requested" in str(value))
    assert all(state.value in condition for state in State if not state.is_finished)
    assert not any(state.value in condition for state in State if state.is_finished)


def test_those_who_start_at_once_migrate_once(empty_url: str) -> None:
    stores = [ControlStore(empty_url) for _ in range(8)]
    with ThreadPoolExecutor(len(stores)) as pool:
        list(pool.map(ControlStore.prepare, stores))
    for store in stores:
        store.close()
    assert on(empty_url, versions) == [VERSION]


def test_a_store_of_a_later_version_is_refused(empty_url: str) -> None:
    with ControlStore(empty_url) as store:
        store.prepare()
    on(empty_url, lambda connection: connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")))  # noqa: S608 - our name
    with (
        ControlStore(empty_url) as store,
        pytest.raises(ControlStoreNewerError, match=f"is of version 9999, this platform knows {VERSION}: a later one"),
    ):
        store.requests.newest()
