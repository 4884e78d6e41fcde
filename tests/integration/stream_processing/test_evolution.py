"""A contract that gains an optional field: old and new events live in one table."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession

from data_lake import tables
from data_lake.delta_tables import ensure_table
from stream_processing.spark_streaming.silver.batch import batch_writer
from stream_processing.spark_streaming.silver.conflicts import SilverIdentities
from tests.integration.stream_processing.conftest import TOPIC, Rows, encode, transaction
from tidemill.config import Settings
from tidemill.contracts import checker, contracts, registry
from tidemill.contracts.registry import ENVELOPE_FILE, SCHEMAS


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Call it to publish the contract with a further optional field, ``coupon``."""

    def publish() -> None:
        for path in SCHEMAS.glob("*.json"):
            schema = json.loads(path.read_text(encoding="utf-8"))
            if path.stem == TOPIC:
                schema["properties"]["coupon"] = {"type": ["string", "null"], "maxLength": 5}
            if path != ENVELOPE_FILE:
                (tmp_path / path.name).write_text(json.dumps(schema), encoding="utf-8")
        monkeypatch.setattr(registry, "SCHEMAS", tmp_path)
        forget()

    def forget() -> None:
        for cached in (contracts, checker, tables._tables):
            cached.cache_clear()

    yield publish
    monkeypatch.undo()
    forget()


def test_a_new_optional_field_gets_a_column_and_its_own_check(
    spark: SparkSession,
    lake: Settings,
    messages: Callable[..., DataFrame],
    rows: Rows,
    published: Callable[[], None],
) -> None:
    old = encode(transaction("old", coupon="EARLY"))
    batch_writer(SilverIdentities(TOPIC, lake))(messages([old]), 0)
    published()
    ensure_table(spark, tables.silver(TOPIC), lake)
    new = [
        encode(transaction("new", coupon="TEN")),
        encode(transaction("none")),
        encode(transaction("bad", coupon="x" * 6)),
    ]
    batch_writer(SilverIdentities(TOPIC, lake))(messages([old, *new]), 1)
    assert [(row["_offset"], row["coupon"]) for row in rows("silver/transactions")] == [
        (0, None),
        (2, "TEN"),
        (3, None),
    ]
    (refused,) = rows(f"quarantine/{TOPIC}")
    assert (refused["offset"], refused["reason"]) == (4, "schema")
    assert refused["detail"].startswith("/data/coupon: ")
