"""Tables of SQLite through a mapping: what one run reads after another, and what a changed row becomes."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest

from ingestion_layer.sources.mapped.chunk import Chunk
from ingestion_layer.sources.mapped.database import (
    DatabaseError,
    DatabaseUnavailableError,
    UnusableUrlError,
    readable_url,
)
from ingestion_layer.sources.mapped.mapping import MappingError
from ingestion_layer.sources.mapped.marks import kept, value_of
from ingestion_layer.sources.mapped.tables import BEYOND_NOW, WITHOUT, TableSource
from ingestion_layer.sources.progress import Progress
from tests.cases.mappings import judged, mapping
from tidemill.config import load_settings

STOCK = """
contract: shop.inventory.v1
source: urn:test:stock
id: [sku, place]
time: {column: changed_at}
zone: UTC
columns:
  sku: product_id
  place: location_id
  units: on_hand
  cost: unit_cost
table: {name: stock, updated: changed_at, overlap: 60}
"""
WHOLE = STOCK.replace(", updated: changed_at, overlap: 60", "")


class Stock:
    """A table of SQLite, and a source that reads it, run after run."""

    def __init__(self, folder: Path, text: str = STOCK) -> None:
        self.file = folder / "stock.db"
        self.mapping = mapping(folder, text, "stock")
        self.settings = load_settings({"TIDEMILL_HOME": str(folder / "home")})
        self.progress = Progress()
        self.write("CREATE TABLE IF NOT EXISTS stock (sku, place, units, cost, changed_at, PRIMARY KEY (sku, place))")

    def write(self, *statements: str) -> None:
        with closing(sqlite3.connect(self.file)) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.commit()

    def row(self, sku: str, units: int, changed_at: str | None, cost: str = "1.5") -> None:
        at = "NULL" if changed_at is None else f"'{changed_at}'"
        self.write(f"INSERT OR REPLACE INTO stock VALUES ('{sku}', 'W1', {units}, {cost}, {at})")  # noqa: S608

    def run(self) -> list[dict[str, Any]]:
        """What one run sends; it is acknowledged whole."""
        source = TableSource(self.settings, self.mapping, readable_url(f"sqlite:///{self.file}"))
        source.check()
        source.counts.update(self.progress.counts)
        events: list[dict[str, Any]] = []
        position = self.progress.position
        for batch in source.batches(self.progress):
            for outgoing in batch.outgoing.values():
                events += [orjson.loads(message.value) for message in outgoing]  # type: ignore[union-attr]
            position = batch.position
        kept = Progress(position, True, dict(source.counts), source.state())
        self.progress = Progress(**orjson.loads(orjson.dumps(kept)))
        return events


@pytest.fixture
def stock(tmp_path: Path) -> Stock:
    return Stock(tmp_path)


def told(events: list[dict[str, Any]]) -> list[tuple[str, int]]:
    return sorted((event["data"]["product_id"], event["data"]["on_hand"]) for event in events)


def test_a_later_run_reads_what_was_written_since(stock: Stock) -> None:
    stock.row("A", 1, "2026-01-01 10:00:00")
    stock.row("B", 2, "2026-01-01 10:00:30")
    first = stock.run()
    assert told(first) == [("A", 1), ("B", 2)]
    stock.row("C", 3, "2026-01-01 11:00:00")
    second = stock.run()
    assert told(second) == [("A", 1), ("B", 2), ("C", 3)]  # A and B lie within the overlap
    assert {event["id"] for event in first} < {event["id"] for event in second}
    assert told(stock.run()) == [("C", 3)]


def test_rows_that_share_the_last_value_are_not_lost(tmp_path: Path) -> None:
    stock = Stock(tmp_path, STOCK.replace("overlap: 60", "overlap: 0"))
    stock.row("A", 1, "2026-01-01 10:00:00")
    stock.run()
    stock.row("B", 2, "2026-01-01 10:00:00")
    assert told(stock.run()) == [("A", 1), ("B", 2)]


def test_a_late_commit_within_the_overlap_is_read(stock: Stock) -> None:
    stock.row("A", 1, "2026-01-01 10:00:00")
    stock.run()
    stock.row("B", 2, "2026-01-01 09:59:00")
    stock.row("C", 3, "2026-01-01 09:58:59")
    assert told(stock.run()) == [("A", 1), ("B", 2)]


def test_a_changed_row_is_a_new_event(stock: Stock) -> None:
    stock.row("A", 1, "2026-01-01 10:00:00")
    (before,) = stock.run()
    stock.row("A", 5, "2026-01-02 10:00:00")
    (after,) = stock.run()
    assert (before["data"]["on_hand"], after["data"]["on_hand"]) == (1, 5)
    assert before["id"] != after["id"]


def test_a_row_without_an_update_value_is_counted(stock: Stock) -> None:
    stock.row("A", 1, None)
    assert stock.run() == []
    assert stock.progress.counts[WITHOUT] == 1


def test_without_an_update_column_the_content_tells_what_changed(tmp_path: Path) -> None:
    stock = Stock(tmp_path, WHOLE)
    stock.row("A", 1, "2026-01-01 10:00:00")
    stock.row("B", 2, "2026-01-01 10:00:00")
    first = {event["data"]["product_id"]: event["id"] for event in stock.run()}
    stock.row("B", 3, "2026-01-01 10:00:00")
    second = {event["data"]["product_id"]: event["id"] for event in stock.run()}
    assert second["A"] == first["A"]
    assert second["B"] != first["B"]


def test_a_run_that_was_killed_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten rows in chunks of three, of which two chunks were acknowledged: a later run has the rest."""
    monkeypatch.setattr("ingestion_layer.sources.mapped.database.ROWS_AT_ONCE", 3)
    for text in (STOCK.replace("overlap: 60", "overlap: 0"), WHOLE):
        (folder := tmp_path / str(len(text))).mkdir()
        stock = Stock(folder, text)
        for number in range(10):
            stock.row(f"P{number}", number, f"2026-01-01 10:00:0{number}")
        source = TableSource(stock.settings, stock.mapping, readable_url(f"sqlite:///{stock.file}"))
        batches = source.batches(Progress())
        for _ in range(2):
            batch = next(batches)
            assert sum(1 for outgoing in batch.outgoing.values() for _ in outgoing) == 3
        stock.progress = Progress(batch.position, False, dict(source.counts), source.state())
        batches.close()  # type: ignore[attr-defined]
        rest = [product for product, _ in told(stock.run())]
        assert rest in (["P5", "P6", "P7", "P8", "P9"], ["P6", "P7", "P8", "P9"])


def test_numbers_are_those_of_the_driver(stock: Stock) -> None:
    stock.row("A", 1, "2026-01-01 10:00:00", cost="2.55")
    stock.row("B", 1, "2026-01-01 10:00:00", cost="'123456789.0123'")
    assert sorted(event["data"]["unit_cost"] for event in stock.run()) == [2.55, 123456789.0123]


def test_an_update_value_may_count(tmp_path: Path) -> None:
    text = STOCK.replace("time: {column: changed_at}", "time: {column: changed_at, format: epoch_s}")
    stock = Stock(tmp_path, text)
    for sku, at in (("A", 1_000), ("B", 1_050)):
        stock.write(f"INSERT INTO stock VALUES ('{sku}', 'W1', 1, 1, {at})")  # noqa: S608
    assert [event["time"] for event in stock.run()] == ["1970-01-01T00:16:40.000000Z", "1970-01-01T00:17:30.000000Z"]
    assert told(stock.run()) == [("A", 1), ("B", 1)]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("{name: stock", "{name: stoc", "no table 'stoc'; did you mean 'stock'"),
        ("cost: unit_cost", "costs: unit_cost", "no column 'costs', which stock.yaml reads; did you mean 'cost'"),
        ("updated: changed_at", "updated: changed", "no column 'changed', which"),
    ],
)
def test_what_is_not_in_the_database_is_named(tmp_path: Path, old: str, new: str, says: str) -> None:
    stock = Stock(tmp_path, STOCK.replace(old, new))
    with pytest.raises(DatabaseError) as raised:
        stock.run()
    assert says in str(raised.value)


def test_a_table_needs_a_section_and_id_columns(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match="table is missing"):
        Stock(tmp_path, STOCK.replace("table: {name: stock, updated: changed_at, overlap: 60}", "")).run()
    with pytest.raises(MappingError, match="id is missing: name the columns that identify a row"):
        mapping(tmp_path, STOCK.replace("id: [sku, place]", ""), "other")


@pytest.mark.parametrize("url", ["sqlite:/x", "postgres//me:hidden@host/db", "nosuch://me:hidden@host/db"])
def test_a_url_that_is_none_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(UnusableUrlError) as raised:
        readable_url(url)
    assert "hidden" not in str(raised.value)


def test_a_database_that_is_away_is_told_without_its_password(stock: Stock) -> None:
    url = readable_url("postgresql+psycopg://me:hidden@127.0.0.1:1/shop?password=hidden")
    source = TableSource(stock.settings, stock.mapping, url)
    with pytest.raises(DatabaseUnavailableError) as raised:
        source.check()
    assert "hidden" not in str(raised.value)
    assert "postgresql+psycopg://me:***@127.0.0.1:1/shop does not answer" in str(raised.value)


FORMS = ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%dT%H:%M:%S+00:00", "%Y-%m-%d"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "America/New_York"])
def test_a_row_of_the_future_hides_none_that_is_written_later(tmp_path: Path, zone: str, form: str) -> None:
    """The clock of the column is UTC, whatever zone the mapping has for it."""
    stock, now = Stock(tmp_path, STOCK.replace("zone: UTC", f"zone: {zone}")), datetime.now(UTC)
    stock.row("A", 1, (now - timedelta(days=3)).strftime(form))
    stock.row("B", 2, datetime(2999, 1, 1, tzinfo=UTC).strftime(form))
    assert told(stock.run()) == [("A", 1), ("B", 2)]
    assert stock.progress.counts[BEYOND_NOW] == 1
    stock.row("C", 3, now.strftime(form))
    assert ("C", 3) in told(stock.run())
    stock.row("D", 4, now.strftime(form))
    assert ("D", 4) in told(stock.run())


def test_a_table_of_the_future_alone_is_read_again(stock: Stock) -> None:
    stock.row("A", 1, "2999-01-01 00:00:00")
    assert told(stock.run()) == told(stock.run()) == [("A", 1)]
    assert stock.progress.counts[BEYOND_NOW] == 1


def test_a_key_may_be_a_uuid(tmp_path: Path) -> None:
    """As PostgreSQL's driver gives them; SQLite has none."""
    by = Stock(tmp_path, WHOLE).mapping
    key = UUID("dedc9616-0b5c-4c33-8a8e-0d3a3ae1a6a5")
    cells = {"sku": [key], "place": ["W1"], "units": [1], "cost": [1], "changed_at": ["2026-01-01 10:00:00"]}
    (event,), rejects = judged([Chunk(1, [1], cells)], by)
    assert rejects == []
    assert event["data"]["product_id"] == "dedc9616-0b5c-4c33-8a8e-0d3a3ae1a6a5"
    assert value_of(orjson.loads(orjson.dumps(kept("sku", key)))) == key


@pytest.mark.parametrize(
    ("first", "second", "are_one"),
    [
        ("postgresql+psycopg://r:p@/shop?host=/run/north", "postgresql+psycopg://r:p@/shop?host=/run/south", False),
        ("postgresql+psycopg://r:p@h/shop?options=-csearch_path=a", "postgresql+psycopg://r:p@h/shop", False),
        ("postgresql+psycopg://r:old@h/shop", "postgresql+psycopg://r:new@h/shop", True),
    ],
)
def test_databases_that_options_tell_apart_are_two(stock: Stock, first: str, second: str, are_one: bool) -> None:
    ids = {TableSource(stock.settings, stock.mapping, readable_url(url)).identity for url in (first, second)}
    assert len(ids) == (1 if are_one else 2)
