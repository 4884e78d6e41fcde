"""What is sent to a topic and what is in it, as the tests of Flink's jobs need it."""

import time
from collections.abc import Callable, Iterable
from typing import Any

import orjson
from confluent_kafka import Consumer, Producer, TopicPartition

from tidemill.config import Settings
from tidemill.contracts import contract
from tidemill.contracts.checker import Event as Valid
from tidemill.contracts.checker import checker

PATIENCE_S = 600.0
Event = dict[str, Any]
Data = dict[str, Any]


def send(settings: Settings, topic: str, events: Iterable[Event]) -> None:
    """Send ``events`` as they are, in their order in each partition, and wait for the acknowledgements."""
    producer = Producer({"bootstrap.servers": settings.kafka.bootstrap_servers, "partitioner": "murmur2_random"})
    for event in events:
        producer.produce(topic, orjson.dumps(event), contract(topic).key(event["data"]))
        producer.poll(0)
    assert producer.flush(60) == 0


def received(settings: Settings, topic: str) -> list[tuple[bytes, bytes]]:
    """Key and value of every message of ``topic``."""
    consumer = Consumer({"bootstrap.servers": settings.kafka.bootstrap_servers, "group.id": "tests"})
    messages: list[tuple[bytes, bytes]] = []
    try:
        partitions = [
            TopicPartition(topic, number, 0) for number in consumer.list_topics(topic).topics[topic].partitions
        ]
        ends = {partition.partition: consumer.get_watermark_offsets(partition)[1] for partition in partitions}
        consumer.assign(partitions)
        while sum(ends.values()) > len(messages):
            messages += [(message.key(), message.value()) for message in consumer.consume(1_000, 1.0)]
    finally:
        consumer.close()
    return messages


def results(settings: Settings, topic: str) -> dict[str, Data]:
    """The data of what was sent to ``topic``, by id; each message is a valid event under the key of its contract."""
    sent: dict[str, Data] = {}
    for key, value in received(settings, topic):
        assert isinstance(checker(topic).read(value), Valid), value
        event = orjson.loads(value)
        assert key == contract(topic).key(event["data"])
        assert sent.setdefault(event["id"], event["data"]) == event["data"]
    return sent


def sessions_sent(settings: Settings) -> dict[str, Data]:
    """Every version of every visit, by id."""
    return results(settings, "shop.session.v1")


def wait_for(holds: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.5)
