"""Kafka to bronze to silver with the real broker; every test ends with broker and lake reconciled."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from confluent_kafka import Producer
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from data_lake import maintenance, tables
from data_lake.delta_rs import open_table
from data_lake.maintenance import maintain
from data_lake.reconciliation import TopicReport, wait_until_it_holds
from data_lake.reconciliation.reconcile import reconcile_topic
from data_lake.table import Table
from stream_processing.spark_streaming.app import CONF
from stream_processing.spark_streaming.bronze.landing import start_bronze
from stream_processing.spark_streaming.silver.batch import start_silver
from stream_processing.spark_streaming.silver.conflicts import SilverIdentities
from tests.integration.own_broker import OwnBroker
from tests.integration.stream_processing.conftest import TOPIC, Rows, encode, transaction
from tidemill.config import Settings

Message = dict[str, Any]
Send = Callable[[Iterable[Message]], None]


@pytest.fixture
def lake(own: Settings) -> Settings:
    """A topic that no other test has sent to."""
    return own


@pytest.fixture
def send(broker: OwnBroker) -> Send:
    """Send messages (``value``, ``key``, ``headers``) and wait for the acknowledgements."""
    producer = Producer({"bootstrap.servers": broker.servers, "message.max.bytes": 8_000_000})

    def produce(messages: Iterable[Message]) -> None:
        for message in messages:
            producer.produce(TOPIC, **message)
        assert producer.flush(60) == 0

    return produce


@contextmanager
def streaming(spark: SparkSession, lake: Settings, topic: str = TOPIC) -> Iterator[None]:
    """Both queries of ``topic``; what was in Kafka before has gone through them when the block is left."""
    bronze, silver = start_bronze(spark, lake, topic), start_silver(spark, SilverIdentities(topic, lake))
    try:
        yield
        bronze.processAllAvailable()
        silver.processAllAvailable()
    finally:
        bronze.stop()
        silver.stop()


def held(lake: Settings) -> TopicReport:
    report = reconcile_topic(lake, TOPIC)
    assert report.holds, [str(finding) for finding in report.findings]
    return report


def of_test(rows: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    """The rows of silver that came from the transactions of one test."""
    ids = {transaction(f"{name} {n}")["id"] for n in range(100)}
    return [row for row in rows if row["event_id"] in ids]


def test_messages_of_every_shape_land_whole_and_only_once(
    spark: SparkSession, lake: Settings, send: Send, rows: Rows
) -> None:
    huge, binary = b"\x00" * 1_500_000, bytes(range(256))
    with streaming(spark, lake):
        send(
            [{"value": encode(transaction("shape 1")), "key": b"c1", "headers": [("trace", b"\xff"), ("trace", None)]}]
        )
        send([{"value": huge}, {"value": binary, "key": binary}, {"value": None, "key": b"gone"}, {"value": b""}])
    bronze = [row for row in rows(f"bronze/{TOPIC}") if row["value"] in (huge, binary) or row["key"] == b"gone"]
    assert sorted(len(row["value"] or b"") for row in bronze) == [0, 256, 1_500_000]
    (landed,) = [row for row in rows(f"bronze/{TOPIC}") if row["value"] == encode(transaction("shape 1"))]
    assert [(header["key"], header["value"]) for header in landed["headers"]] == [("trace", b"\xff"), ("trace", None)]
    quarantined = rows(f"quarantine/{TOPIC}")
    assert {bytes(row["value"]) for row in quarantined if row["value"] is not None} >= {huge, binary, b""}
    assert any(row["value"] is None and row["key"] == b"gone" for row in quarantined)
    held(lake)


@pytest.mark.matrix
def test_a_stream_stopped_and_started_again_goes_on_where_it_was(
    spark: SparkSession, lake: Settings, send: Send, rows: Rows
) -> None:
    send({"value": encode(transaction(f"restart {n}"))} for n in range(5))
    with streaming(spark, lake):
        pass
    send({"value": encode(transaction(f"restart {n}"))} for n in range(3, 9))
    with streaming(spark, lake):
        pass
    assert len(of_test(rows("silver/transactions"), "restart")) == 9
    held(lake)


def test_a_query_killed_while_it_wrote_its_first_offsets_starts(
    spark: SparkSession, lake: Settings, send: Send, rows: Rows
) -> None:
    send([{"value": encode(transaction("unborn 1"))}])
    for layer in ("bronze", "silver"):
        offsets = Path(lake.checkpoints) / layer / TOPIC / "offsets"
        offsets.mkdir(parents=True)
        (offsets / ".0.6f1c.tmp").write_text("v1\n{", encoding="utf-8")
        (offsets / "..0.6f1c.tmp.crc").write_bytes(b"crc")
    with streaming(spark, lake):
        pass
    assert len(of_test(rows("silver/transactions"), "unborn")) == 1
    held(lake)


@pytest.mark.matrix
def test_a_lost_silver_checkpoint_changes_neither_silver_nor_quarantine(
    spark: SparkSession, lake: Settings, send: Send, rows: Rows
) -> None:
    send([{"value": encode(transaction("reset 1"))}, {"value": b"bad"}])
    with streaming(spark, lake):
        pass
    before = [rows("silver/transactions"), rows(f"quarantine/{TOPIC}")]
    reset = lake.model_copy(
        update={"stream": lake.stream.model_copy(update={"checkpoints": f"{lake.checkpoints}-new"})}
    )
    silver = start_silver(spark, SilverIdentities(TOPIC, reset))
    silver.processAllAvailable()
    silver.stop()
    assert [rows("silver/transactions"), rows(f"quarantine/{TOPIC}")] == before
    held(lake)


def test_files_merged_under_a_running_stream_are_read_once(spark: SparkSession, lake: Settings, send: Send) -> None:
    with streaming(spark, lake):
        for n in range(3):
            send([{"value": encode(transaction(f"compact {n}"))}])
            wait_until_it_holds(lake, [TOPIC], 60, lambda _: None)
        for table in (tables.bronze(TOPIC), tables.silver(TOPIC)):
            assert maintain(table, open_table(table, lake), vacuum_hours=168).files_merged > 1
        send([{"value": encode(transaction("compact 3"))}, {"value": encode(transaction("compact 1"))}])
    held(lake)


@contextmanager
def properties(spark: SparkSession, values: Mapping[str, str]) -> Iterator[None]:
    """Queries started in the block have these properties of Spark."""
    for key, value in values.items():
        spark.conf.set(key, value)
    try:
        yield
    finally:
        for key in values:
            spark.conf.unset(key)


def forget_files(spark: SparkSession) -> None:
    """Make Delta know of the tables' small files what it knows in a new process: nothing."""
    stats = cast(Any, spark)._jvm.org.apache.spark.sql.delta.stats.AutoCompactPartitionStats
    stats.instance(cast(Any, spark)._jsparkSession).resetTestOnly()


def test_small_files_are_merged_when_many_have_gathered_and_not_after_every_commit(
    spark: SparkSession, lake: Settings, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    def operations(table: Table) -> list[str]:
        return [commit["operation"] for commit in open_table(table, lake).history()]

    def commit(number: int) -> None:
        send([{"value": encode(transaction(f"gather {number}"))}])
        with streaming(spark, lake):
            pass

    streamed = tables.bronze(TOPIC), tables.silver(TOPIC)
    with properties(spark, {key: value for key, value in CONF.items() if ".autoCompact." in key}):
        commit(0)
        forget_files(spark)
        commit(1)
        assert not any("OPTIMIZE" in operations(table) for table in streamed)
        monkeypatch.setattr(maintenance, "MANY", 2)  # bronze is written by delta-rs
        with properties(spark, {"spark.databricks.delta.autoCompact.minNumFiles": "2"}):
            commit(2)
        assert all(operations(table)[0] == "OPTIMIZE" for table in streamed)
    held(lake)


def test_a_row_deleted_or_doubled_behind_the_streams_back_is_named(
    spark: SparkSession, lake: Settings, send: Send, rows: Rows
) -> None:
    send([{"value": encode(transaction(f"plant {n}"))} for n in range(4)])
    with streaming(spark, lake):
        pass
    path = tables.silver(TOPIC).path(lake)
    lost = of_test(rows("silver/transactions"), "plant")[0]
    doubled = of_test(rows("silver/transactions"), "plant")[1]
    silver = spark.read.format("delta").load(path)
    silver.where(silver.event_id == doubled["event_id"]).write.format("delta").mode("append").save(path)
    DeltaTable(path).delete(f"event_id = '{lost['event_id']}'")
    said = [str(finding) for finding in reconcile_topic(lake, TOPIC).findings]
    where = f"partition {lost['_partition']} offsets {lost['_offset']} to {lost['_offset']}"
    assert f"in bronze, but neither in quarantine nor in silver: 1 ({where})" in said
    assert f"more than once in silver: 1 (event {doubled['event_id']} of {doubled['source']})" in said
