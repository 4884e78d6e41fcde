"""Tables of a real PostgreSQL onto the real broker: decimals, ties, late commits, and a run that was killed."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingestion_layer.kafka.topics import ensure_topics
from tests.cases.inventory_files import TOPIC
from tests.cases.kafka_messages import ends, messages_after
from tests.integration.ingestion_layer.mapped.ingesting import finish, started, wait_for_progress
from tests.integration.monitoring.control.postgres import PostgresServer, programs, running
from tidemill.config import Settings
from tidemill.contracts.json_text import parse

STOCK = """
contract: shop.inventory.v1
source: urn:test:postgres
id: [sku, place]
time: {column: changed_at}
columns: {sku: product_id, place: location_id, units: on_hand, cost: unit_cost}
table: {name: public.stock, updated: changed_at, overlap: 60}
"""
TABLE = """
CREATE TABLE stock (sku text, place text, units bigint, cost numeric(18, 4), changed_at timestamptz,
  PRIMARY KEY (sku, place))
"""


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    place = programs()
    if place is None:
        pytest.skip("no initdb and postgres here: `make bootstrap` installs PostgreSQL")
    folder = Path(tempfile.mkdtemp(prefix="tidemill-postgres-"))
    folder.chmod(0o755)
    try:
        with running(folder, place) as server:
            server.execute("postgres", "CREATE DATABASE shop")
            yield server
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def own(settings: Settings, kafka: str, tmp_path: Path, postgres: PostgresServer) -> Settings:
    ensure_topics(settings)
    postgres.execute("shop", "DROP TABLE IF EXISTS stock", TABLE)
    (tmp_path / "stock.yaml").write_text(STOCK, encoding="utf-8")
    return settings.model_copy(update={"home": tmp_path / "home"})


def run(own: Settings, postgres: PostgresServer) -> dict[str, Any]:
    mapping = str(own.home.parent / "stock.yaml")
    return finish(own, "table", mapping, TIDEMILL_SECRET_INGEST_URL=postgres.url("shop"))


def sent_after(settings: Settings, starts: dict[int, int]) -> dict[str, tuple[str, int, Any]]:
    """By id: which product, how many, at what cost."""
    events = [parse(m.value() or b"") for m in messages_after(settings.kafka.bootstrap_servers, TOPIC, starts)]
    return {e["id"]: (e["data"]["product_id"], e["data"]["on_hand"], e["data"]["unit_cost"]) for e in events}


def test_rows_and_their_later_states_are_events_once(own: Settings, postgres: PostgresServer) -> None:
    starts = ends(own.kafka.bootstrap_servers, TOPIC)
    postgres.execute(
        "shop",
        "INSERT INTO stock VALUES ('A', 'W1', 1, 987654321.1234, '2026-01-01 12:00+02'), "
        "('B', 'W1', 2, 0.1, '2026-01-01 10:00+00'), ('C', 'W1', -1, 1, '2026-01-01 10:00+00'), "
        "('D', 'W1', 1, 1, NULL)",
    )
    first = run(own, postgres)
    assert (first["rows"], first["produced"], first["rejected"]) == (3, 2, {"schema": 1})
    assert first["without_update_value"] == 1
    assert "tidemill" not in first["database"].split("@")[1]
    postgres.execute(
        "shop",
        "UPDATE stock SET units = 5, changed_at = '2026-01-02 10:00+00' WHERE sku = 'A'",
        "INSERT INTO stock VALUES ('E', 'W1', 7, 1, '2026-01-01 09:59:30+00')",  # committed late, within the overlap
    )
    run(own, postgres)
    again = run(own, postgres)
    assert again["sent"] == 1  # the newest, at the boundary
    sent = sent_after(own, starts)
    assert sorted(sent.values()) == [
        ("A", 1, 987654321.1234),
        ("A", 5, 987654321.1234),
        ("B", 2, 0.1),
        ("E", 7, 1),
    ]


def test_a_run_that_was_killed_goes_on(own: Settings, postgres: PostgresServer) -> None:
    count, starts = 120_000, ends(own.kafka.bootstrap_servers, TOPIC)
    postgres.execute(
        "shop",
        "INSERT INTO stock SELECT 'K' || n, 'W1', n % 1000, n / 100.0, timestamptz '2026-01-01 00:00+00' "
        "+ n / 7 * interval '1 second' FROM generate_series(1, 120000) AS n",
    )
    mapping = str(own.home.parent / "stock.yaml")
    url = {"TIDEMILL_SECRET_INGEST_URL": postgres.url("shop")}
    with started(own, "table", mapping, **url) as process:
        position = wait_for_progress(own, "stock", process)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    summary = run(own, postgres)
    assert 0 < position <= summary["began_at"]
    assert summary["sent"] < count
    products = [product for product, _, _ in sent_after(own, starts).values()]
    assert len(products) == count
    assert set(products) == {f"K{n}" for n in range(1, count + 1)}


@pytest.mark.parametrize("updated", [", updated: changed_at", ""], ids=["updated", "whole"])
def test_a_key_may_be_a_uuid(own: Settings, postgres: PostgresServer, updated: str) -> None:
    mapping = own.home.parent / "stock.yaml"
    mapping.write_text(STOCK.replace(", updated: changed_at, overlap: 60", updated), encoding="utf-8")
    postgres.execute(
        "shop",
        "ALTER TABLE stock ALTER COLUMN sku TYPE uuid USING sku::uuid",
        "INSERT INTO stock VALUES ('DEDC9616-0b5c-4c33-8a8e-0d3a3ae1a6a5', 'W1', 1, 1, '2026-01-01 10:00+00')",
    )
    starts = ends(own.kafka.bootstrap_servers, TOPIC)
    first, again = run(own, postgres), run(own, postgres)
    assert (first["produced"], first["rejected"]) == (1, {})
    assert again["rejected"] == {}
    assert set(sent_after(own, starts).values()) == {("dedc9616-0b5c-4c33-8a8e-0d3a3ae1a6a5", 1, 1)}


@pytest.mark.parametrize(
    ("old", "new", "says"), [("tidemill@", "nobody@", "nobody"), ("/shop?", "/none?", "none")], ids=["user", "database"]
)
def test_a_database_that_refuses_is_not_said_to_be_away(
    own: Settings, postgres: PostgresServer, old: str, new: str, says: str
) -> None:
    url = postgres.url("shop").replace(old, new)
    mapping = str(own.home.parent / "stock.yaml")
    with started(own, "table", mapping, TIDEMILL_SECRET_INGEST_URL=url) as process:
        _, err = process.communicate(timeout=100)
    assert process.returncode == 1
    assert f'"{says}" does not exist' in err
    assert "refused" in err
    assert "Traceback" not in err
