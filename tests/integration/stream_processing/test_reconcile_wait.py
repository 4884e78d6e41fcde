"""Waiting for the lake while events go on arriving."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka import Producer
from pyspark.sql import SparkSession

from data_lake.reconciliation import wait_until_it_holds
from ingestion_layer.kafka.offsets import topic_offsets
from ingestion_layer.kafka.topics import ensure_topics
from tests.integration.stream_processing.conftest import TOPIC, encode, transaction
from tests.integration.stream_processing.test_stream import streaming
from tidemill.config import Settings


@contextmanager
def arriving(servers: str) -> Iterator[None]:
    """A new event every third of a second, until the block is left."""
    stop, producer = threading.Event(), Producer({"bootstrap.servers": servers})

    def send() -> None:
        number = 0
        while not stop.wait(0.3):
            producer.produce(TOPIC, value=encode(transaction(f"arriving {number}")))
            producer.flush(10)
            number += 1

    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield
    finally:
        stop.set()
        sender.join()


def test_it_holds_up_to_where_the_broker_was_though_events_go_on_arriving(
    spark: SparkSession, lake: Settings, settings: Settings, kafka: str
) -> None:
    ensure_topics(settings)
    lines: list[str] = []
    with streaming(spark, lake), arriving(kafka):
        before = topic_offsets(lake, TOPIC)
        report = wait_until_it_holds(lake, [TOPIC], 240, lines.append).topics[TOPIC]
        after = topic_offsets(lake, TOPIC)
    assert report.findings == ()
    ends = {partition: of.high for partition, of in report.partitions.items()}
    assert all(before[partition].end <= end <= after[partition].end for partition, end in ends.items())
    assert sum(of.end for of in after.values()) > sum(ends.values())
    total = sum(of.high - of.low for of in report.partitions.values())
    assert f"{TOPIC}: {total:,} of {total:,} messages in bronze" in lines
