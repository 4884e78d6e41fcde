"""Offsets, ranges and identities of a topic of the tests' own, on the real broker."""

import contextlib
from collections.abc import Iterator

import pytest
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from ingestion_layer.kafka import identity, offsets
from ingestion_layer.kafka.client import BrokerUnavailableError
from ingestion_layer.kafka.identity import topic_identity
from ingestion_layer.kafka.offsets import MissingTopicError, Offsets, topic_offsets
from ingestion_layer.kafka.open_transactions import OpenTransaction, open_transactions
from ingestion_layer.kafka.reading import range_reader
from tests.cases.waiting import eventually
from tests.integration import topics
from tidemill.config import Settings
from tidemill.stack.machine.ports import free_ports

TOPIC = "tests.reading"
ABORTED = 25


@pytest.fixture
def topic(kafka: str) -> Iterator[str]:
    """An empty topic of one partition."""
    admin = AdminClient({"bootstrap.servers": kafka})
    topics.make(admin, NewTopic(TOPIC, 1, 1))
    yield TOPIC
    with contextlib.suppress(KafkaException):  # the test deleted it
        topics.delete(admin, TOPIC)


def transactional(kafka: str) -> Producer:
    producer = Producer({"bootstrap.servers": kafka, "transactional.id": "tests.reading", "log_level": 0})
    producer.init_transactions(30)
    return producer


def offsets_read(settings: Settings, first: int, end: int, isolation: str) -> list[int]:
    with range_reader(settings, TOPIC, isolation) as reader:
        return [message.offset() for message in reader.messages(0, first, end)]


def test_a_reader_gets_what_its_isolation_allows(settings: Settings, kafka: str, topic: str) -> None:
    """0 committed, 1 its marker, 2 to 26 aborted, 27 their marker, 28 open."""
    producer = transactional(kafka)
    for values, end in (([b"a"], producer.commit_transaction), ([b"b"] * ABORTED, producer.abort_transaction)):
        producer.begin_transaction()
        for value in values:
            producer.produce(topic, value=value)
        producer.flush(30)
        end(30)
    # A broker says that a transaction is ended before its marker is in the partition.
    eventually(lambda: topic_offsets(settings, topic) == {0: Offsets(0, 28, 28)}, "the markers of both transactions")
    assert offsets_read(settings, 0, 28, "read_committed") == [0]
    assert offsets_read(settings, 0, 28, "read_uncommitted") == [0, *range(2, 27)]
    assert offsets_read(settings, 5, 7, "read_uncommitted") == [5, 6]
    assert offsets_read(settings, 28, 28, "read_committed") == []
    with range_reader(settings, topic) as reader:
        last = reader.last(0, 0, 28)
        assert (last and last.offset(), reader.last(0, 1, 28)) == (0, None)

    producer.begin_transaction()
    producer.produce(topic, value=b"c")
    producer.flush(30)
    assert topic_offsets(settings, topic) == {0: Offsets(0, 28, 29)}
    assert open_transactions(settings, [topic]) == (OpenTransaction(topic, 0, 28, 1),)
    everything = settings.model_copy(
        update={"stream": settings.stream.model_copy(update={"isolation": "read_uncommitted"})}
    )
    assert open_transactions(everything, [topic]) == ()
    producer.abort_transaction(30)


def test_a_topic_made_anew_is_another_one_of_the_same_cluster(settings: Settings, kafka: str, topic: str) -> None:
    before = topic_identity(settings, topic)
    assert topic_identity(settings, topic) == before
    admin = AdminClient({"bootstrap.servers": kafka})
    topics.delete(admin, topic)
    with pytest.raises(MissingTopicError, match=r"no topic tests\.reading"):
        topic_identity(settings, topic)
    topics.make(admin, NewTopic(topic, 1, 1))
    after = topic_identity(settings, topic)
    assert (after.cluster_id, after.topic_id != before.topic_id) == (before.cluster_id, True)


def test_a_broker_that_is_away_is_a_transient_error(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (identity, offsets):
        monkeypatch.setattr(module, "TIMEOUT_S", 1.0)
    (port,) = free_ports(1)
    kafka = settings.kafka.model_copy(update={"bootstrap_servers": f"127.0.0.1:{port}"})
    away = settings.model_copy(update={"kafka": kafka})
    for ask in (topic_identity, topic_offsets):
        with pytest.raises(BrokerUnavailableError, match=f":{port}"):
            ask(away, TOPIC)
