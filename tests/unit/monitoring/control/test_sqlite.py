"""What only a file can do wrong."""

import sqlite3
from pathlib import Path

import pytest

from monitoring.control import ControlStore, ControlStoreAwayError, ControlStoreRefusedError, control_store, database
from tests.cases.control_stores import ask
from tidemill.config import load_settings


def test_a_store_that_another_keeps_busy_is_away(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_S", 0.1)
    with ControlStore(url) as store, sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None) as other:
        store.prepare()
        other.execute("BEGIN IMMEDIATE")
        assert store.requests.newest() == []
        with pytest.raises(ControlStoreAwayError, match=r"does not answer \(database is locked\): see that"):
            store.requests.ask(ask())
        other.execute("ROLLBACK")
        store.requests.ask(ask())


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "control.db"
    file.write_bytes(b"a diary, and no database at all\n" * 100)
    with ControlStore(f"sqlite:///{file}") as store, pytest.raises(ControlStoreRefusedError, match="not a database"):
        store.requests.newest()


def test_a_folder_in_the_place_of_the_file_is_refused(tmp_path: Path) -> None:
    with (
        ControlStore(f"sqlite:///{tmp_path}") as store,
        pytest.raises(ControlStoreRefusedError, match="unable to open database file"),
    ):
        store.requests.newest()


def test_a_file_where_the_folder_should_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("", encoding="utf-8")
    with pytest.raises(ControlStoreRefusedError, match=r"the folder of .*control\.db cannot be made"):
        ControlStore(f"sqlite:///{tmp_path}/home/control.db")


def test_any_home_folder_will_do(tmp_path: Path) -> None:
    home = tmp_path / "a b?c=d#e%20f"
    with control_store(load_settings({"TIDEMILL_HOME": str(home), "TIDEMILL_PROJECT": ""})) as store:
        store.requests.ask(ask())
    assert [file.name for file in home.iterdir()] == ["control.db"]


def test_who_writes_holds_up_nobody_who_reads(url: str) -> None:
    with ControlStore(url) as store:
        store.requests.ask(ask())
    with sqlite3.connect(url.removeprefix("sqlite:///")) as file:
        assert file.execute("PRAGMA journal_mode").fetchone() == ("wal",)
