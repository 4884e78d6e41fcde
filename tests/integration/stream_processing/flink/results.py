"""What is sent to a topic and what is in it, as the tests of Flink's jobs need it."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import orjson
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition

from ingestion_layer.kafka.offsets import topic_offsets
from tidemill.config import Settings
from tidemill.contracts import contract
from tidemill.contracts.checker import Event as Valid
from tidemill.contracts.checker import checker

PATIENCE_S = 600.0
UNACKNOWLEDGED = 50_000
"""As many messages wait for the broker: librdkafka takes twice as many, and refuses the next."""
Event = dict[str, Any]
Data = dict[str, Any]


def send(settings: Settings, topic: str, events: Iterable[Event]) -> None:
    """Send ``events`` as they are, in their order in each partition, and wait until the broker has each of them."""
    refused: list[KafkaError] = []
    producer = Producer({"bootstrap.servers": settings.kafka.bootstrap_servers, "partitioner": "murmur2_random"})
    for event in events:
        key = contract(topic).key(event["data"])
        producer.produce(topic, orjson.dumps(event), key, on_delivery=lambda error, _: error and refused.append(error))
        producer.poll(0)
        while len(producer) > UNACKNOWLEDGED:
            producer.poll(0.1)
    assert producer.flush(PATIENCE_S) == 0
    assert refused == []


class Topic:
    """What is in a topic, read on from where the last look ended."""

    def __init__(self, settings: Settings, topic: str) -> None:
        self._settings, self.name, self.messages, self._data = settings, topic, 0, dict[str, Data]()
        self._consumer = Consumer({"bootstrap.servers": settings.kafka.bootstrap_servers, "group.id": "tests"})
        self._consumer.assign([TopicPartition(topic, number, 0) for number in topic_offsets(settings, topic)])

    def results(self) -> dict[str, Data]:
        """The data of all that was sent by now, by id; each message is a valid event under the key of its contract."""
        end = sum(offsets.end for offsets in topic_offsets(self._settings, self.name).values())
        while end > self.messages:
            for message in self._consumer.consume(10_000, 1.0):
                if message.error() is None:  # librdkafka tells that a broker is away, and goes on by itself
                    self._take(message.key(), message.value())
        return self._data

    def close(self) -> None:
        self._consumer.close()

    def _take(self, key: bytes, value: bytes) -> None:
        assert isinstance(checker(self.name).read(value), Valid), value
        event = orjson.loads(value)
        assert key == contract(self.name).key(event["data"])
        assert self._data.setdefault(event["id"], event["data"]) == event["data"]
        self.messages += 1


@contextmanager
def reading(settings: Settings, topic: str) -> Iterator[Topic]:
    followed = Topic(settings, topic)
    try:
        yield followed
    finally:
        followed.close()


def results(settings: Settings, topic: str) -> dict[str, Data]:
    """The data of what was sent to ``topic``, by id."""
    with reading(settings, topic) as followed:
        return followed.results()


def sessions_sent(settings: Settings) -> dict[str, Data]:
    """Every version of every visit, by id."""
    return results(settings, "shop.session.v1")


def wait_for(holds: Callable[[], bool], what: str, patience_s: float = PATIENCE_S, rest_s: float = 0.5) -> None:
    deadline = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(rest_s)
