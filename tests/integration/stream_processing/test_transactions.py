"""Transactional producers and compaction: what nobody should read is nowhere in the lake, and nothing is missing."""

import time
from decimal import Decimal

import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from data_lake import tables
from data_lake.reconciliation.reconcile import reconcile_topic
from ingestion_layer.kafka.offsets import topic_offsets
from ingestion_layer.kafka.open_transactions import OpenTransaction, open_transactions
from ingestion_layer.kafka.reading import range_reader
from tests.cases.waiting import eventually
from tests.integration.own_broker import OwnBroker
from tests.integration.stream_processing.conftest import TOPIC, encode, transaction
from tests.integration.stream_processing.test_stream import streaming
from tidemill.config import Settings


def sale(record: str, price: float) -> bytes:
    return encode(transaction(record, quantity=1, unit_price=price))


def turnover(settings: Settings) -> Decimal:
    rows = DeltaTable(tables.silver(TOPIC).path(settings)).to_pyarrow_table().to_pylist()
    return sum((row["unit_price"] * row["quantity"] for row in rows), Decimal(0))


def bronze_values(settings: Settings) -> list[bytes]:
    return DeltaTable(tables.bronze(TOPIC).path(settings)).to_pyarrow_table().column("value").to_pylist()


def said(settings: Settings) -> list[str]:
    return [str(finding) for finding in reconcile_topic(settings, TOPIC).findings]


def ended(settings: Settings) -> None:
    """Wait for the markers: a broker says that a transaction is ended before they are in the partition."""
    eventually(lambda: open_transactions(settings, [TOPIC]) == (), "the end of all transactions")


def run(spark: SparkSession, settings: Settings) -> None:
    """Both queries, until everything that can be read is read."""
    with streaming(spark, settings):
        pass


def test_an_aborted_sale_is_nowhere_and_a_committed_one_is_counted(
    spark: SparkSession, broker: OwnBroker, own: Settings
) -> None:
    producer = broker.begin(TOPIC, sale("aborted", 500.00))
    producer.abort_transaction(30)
    producer.begin_transaction()
    producer.produce(TOPIC, value=sale("committed", 7.00), partition=0)
    producer.commit_transaction(30)
    ended(own)
    run(spark, own)
    assert turnover(own) == Decimal("7.0000")
    assert bronze_values(own) == [sale("committed", 7.00)]
    assert said(own) == []


@pytest.mark.matrix
def test_read_uncommitted_takes_both_and_read_committed_then_names_the_aborted_one(
    spark: SparkSession, broker: OwnBroker, own: Settings
) -> None:
    broker.begin(TOPIC, sale("aborted", 500.00)).abort_transaction(30)
    broker.send(TOPIC, sale("plain", 7.00))
    ended(own)
    every = own.model_copy(update={"stream": own.stream.model_copy(update={"isolation": "read_uncommitted"})})
    run(spark, every)
    assert turnover(own) == Decimal("507.0000")
    assert said(every) == []
    assert said(own) == ["in bronze, but of transactions that were aborted: 1 (partition 0 offsets 0 to 0)"]


def test_what_a_dying_producer_left_open_waits_and_says_so(
    spark: SparkSession, broker: OwnBroker, own: Settings
) -> None:
    broker.send(TOPIC, sale("before", 1.00))
    died = broker.begin(TOPIC, sale("hanging", 500.00), sale("hanging too", 500.00), timeout_s=900)
    broker.send(TOPIC, sale("behind", 7.00))
    run(spark, own)
    assert open_transactions(own, [TOPIC]) == (OpenTransaction(TOPIC, 0, 1, 3),)
    report = reconcile_topic(own, TOPIC)
    assert (report.holds, report.bronze_rows, len(report.waiting)) == (True, 1, 1)
    assert "3 messages from offset 1 on wait behind an open transaction" in str(report.waiting[0])
    restarted = broker.begin(TOPIC)  # the same transactional.id: the broker aborts what it had left open
    ended(own)
    run(spark, own)
    assert turnover(own) == Decimal("8.0000")
    assert said(own) == []
    del died, restarted


@pytest.mark.matrix
def test_what_a_dead_producer_left_open_is_aborted_in_the_end(
    spark: SparkSession, broker: OwnBroker, own: Settings
) -> None:
    died = broker.begin(TOPIC, sale("hanging", 500.00), timeout_s=5, identity="dead")
    broker.send(TOPIC, sale("behind", 7.00))
    ended(own)
    run(spark, own)
    assert turnover(own) == Decimal("7.0000")
    assert said(own) == []
    del died


@pytest.mark.matrix
def test_what_compaction_removed_is_not_missing(spark: SparkSession, broker: OwnBroker, own: Settings) -> None:
    config = {"cleanup.policy": "compact", "segment.ms": "50", "min.cleanable.dirty.ratio": "0.001"}
    broker.make_anew(TOPIC, config={**config, "max.compaction.lag.ms": "100"})
    deadline = time.monotonic() + 240
    number = 0
    while not _compacted(own):
        assert time.monotonic() < deadline, "the broker compacted nothing"
        broker.send(TOPIC, sale(f"line {number}", 1.00), key=b"the same")
        number += 1
        time.sleep(0.25)
    run(spark, own)
    assert len(bronze_values(own)) < number
    assert said(own) == []


def _compacted(settings: Settings) -> bool:
    of = topic_offsets(settings, TOPIC)[0]
    with range_reader(settings, TOPIC) as reader:
        return len(list(reader.messages(0, of.low, of.end))) < of.end - of.low


def test_a_committed_message_deleted_from_bronze_is_named_among_markers(
    spark: SparkSession, broker: OwnBroker, own: Settings
) -> None:
    producer = broker.begin(TOPIC, sale("first", 1.00))
    producer.commit_transaction(30)
    producer.begin_transaction()
    producer.produce(TOPIC, value=sale("second", 2.00), partition=0)
    producer.commit_transaction(30)
    ended(own)
    run(spark, own)
    assert said(own) == []
    bronze = DeltaTable(tables.bronze(TOPIC).path(own))
    bronze.alter.set_table_properties({"delta.appendOnly": "false"})
    bronze.delete("offset = 2")
    assert "the broker has them, bronze does not: 1 (partition 0 offsets 2 to 2)" in said(own)
