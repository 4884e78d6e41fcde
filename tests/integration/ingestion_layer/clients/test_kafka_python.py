"""kafka-python at the platform's topics: its events are in silver once, its consumer reads, its admin asks and sets."""

import struct
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import TopicAlreadyExistsError
from pyspark.sql import SparkSession

from data_lake import tables
from data_lake.delta_rs import open_table
from data_lake.reconciliation.reconcile import reconcile_topic
from ingestion_layer.kafka.producer import EventProducer
from ingestion_layer.kafka.topics import ensure_topics
from tests.cases.clicks import click
from tests.cases.kafka_messages import messages_after
from tests.cases.waiting import eventually
from tests.integration.own_broker import OwnBroker, own_broker, with_empty_lake
from tests.integration.stream_processing.test_stream import streaming
from tidemill.config import Settings
from tidemill.contracts import contracts

TOPIC = "shop.click.v1"
CODECS = {0: None, 1: "gzip", 2: "snappy", 3: "lz4", 4: "zstd"}
"""By their number in a batch's attributes (Kafka's protocol, record batch)."""
AT = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
SESSIONS = 20
TRACE = ("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
WAIT_S = 60

Event = dict[str, Any]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnBroker]:
    with own_broker(tmp_path_factory.mktemp("kafka-python")) as broker:
        yield broker


@pytest.fixture
def servers(broker: OwnBroker) -> str:
    """A broker with the platform's topics, that of clicks empty."""
    ensure_topics(broker.settings)
    broker.make_anew(TOPIC, partitions=broker.settings.kafka.partitions)
    return broker.servers


@pytest.fixture
def lake(broker: OwnBroker, tmp_path: Path, spark: SparkSession) -> Settings:
    """The broker's settings with an empty lake."""
    return with_empty_lake(broker.settings, tmp_path, spark, TOPIC)


def clicks(name: str, count: int) -> list[Event]:
    return [click(f"{name} {n}", AT, session_id=f"session {n % SESSIONS}") for n in range(count)]


def send_keyed(producer: KafkaProducer, events: Iterable[Event]) -> None:
    """As a user does it: each event under its session's key, and an error if one was not acknowledged."""
    sent = [
        producer.send(TOPIC, orjson.dumps(event), key=event["data"]["session_id"].encode(), headers=[TRACE])
        for event in events
    ]
    for answer in sent:
        answer.get(WAIT_S)


def ids(events: Iterable[Event]) -> Counter[str]:
    return Counter(event["id"] for event in events)


def codecs_on_disk(broker: OwnBroker) -> set[str | None]:
    """The codec of every batch that the broker keeps of the topic."""
    segments = [path.read_bytes() for path in broker.data.rglob(f"{TOPIC}-[0-9]*/*.log")]
    return {CODECS[attributes & 0b111] for segment in segments for attributes in _attributes(segment)}


def _attributes(segment: bytes) -> Iterator[int]:
    at = 0
    while at < len(segment):
        (length,) = struct.unpack_from(">i", segment, at + 8)
        yield struct.unpack_from(">h", segment, at + 21)[0]
        at += 12 + length


def test_what_its_producer_sends_is_in_silver_once_whatever_the_codec(
    broker: OwnBroker, servers: str, lake: Settings, spark: SparkSession
) -> None:
    keyed = {codec: clicks(str(codec), 100) for codec in CODECS.values()}
    for codec, events in keyed.items():
        with closing(KafkaProducer(bootstrap_servers=servers, compression_type=codec, linger_ms=20)) as producer:
            send_keyed(producer, events)
            send_keyed(producer, keyed[None][:10])
    plain, committed, aborted = clicks("its defaults", 50), clicks("committed", 10), clicks("aborted", 10)
    with closing(KafkaProducer(bootstrap_servers=servers)) as producer:
        for event in plain:
            producer.send(TOPIC, orjson.dumps(event))
        producer.send(TOPIC, b"no event")
    with closing(KafkaProducer(bootstrap_servers=servers, transactional_id="tests")) as producer:
        producer.init_transactions()
        producer.begin_transaction()
        send_keyed(producer, committed)
        producer.commit_transaction()
        producer.begin_transaction()
        send_keyed(producer, aborted)
        producer.abort_transaction()
    assert codecs_on_disk(broker) == set(CODECS.values())

    with streaming(spark, lake, TOPIC):
        pass

    report = reconcile_topic(lake, TOPIC)
    assert [str(finding) for finding in report.findings] == []
    silver = open_table(tables.silver(TOPIC), lake).to_pyarrow_table(columns=["event_id"])["event_id"].to_pylist()
    assert Counter(silver) == ids([*(event for events in keyed.values() for event in events), *plain, *committed])
    bad = open_table(tables.quarantine(TOPIC), lake).to_pyarrow_table(columns=["value"])["value"].to_pylist()
    assert bad == [b"no event"]
    bronze = open_table(tables.bronze(TOPIC), lake).to_pyarrow_table(columns=["key", "headers"]).to_pylist()
    with_key = [row["headers"] for row in bronze if row["key"] is not None]
    assert len(with_key) == 100 * len(CODECS) + 10 * len(CODECS) + len(committed)
    assert all(headers == [{"key": TRACE[0], "value": TRACE[1]}] for headers in with_key)


def test_a_key_is_in_the_partition_in_which_the_platform_puts_it(broker: OwnBroker, servers: str) -> None:
    with EventProducer(broker.settings) as producer:
        producer.send(TOPIC, clicks("the platform's", 200))
    with closing(KafkaProducer(bootstrap_servers=servers)) as producer:
        send_keyed(producer, clicks("its own", 200))
    places = {(message.key(), message.partition()) for message in messages_after(servers, TOPIC, {})}
    assert len(places) == SESSIONS
    assert len({partition for _, partition in places}) > 1


def read(consumer: KafkaConsumer, count: int) -> Counter[str]:
    """The ids of the next ``count`` messages; an error when they do not come."""
    messages = [next(consumer) for _ in range(count)]
    return ids(orjson.loads(message.value) for message in messages)


def test_its_consumer_reads_what_the_platform_sends_and_goes_on_where_its_group_was(
    broker: OwnBroker, servers: str
) -> None:
    first, second = clicks("first", 300), clicks("second", 30)
    options = {
        "bootstrap_servers": servers,
        "group_id": "readers",
        "auto_offset_reset": "earliest",
        "consumer_timeout_ms": WAIT_S * 1000,
    }
    with EventProducer(broker.settings) as producer:
        producer.send(TOPIC, first)
        producer.flush()
        with closing(KafkaConsumer(TOPIC, **options)) as consumer:
            assert read(consumer, len(first)) == ids(first)
            consumer.commit()
        producer.send(TOPIC, second)
        producer.flush()
        with closing(KafkaConsumer(TOPIC, **options)) as consumer:
            assert read(consumer, len(second)) == ids(second)


def is_at_the_end(consumer: KafkaConsumer) -> bool:
    """Whether it was given its partitions, and each has a position."""
    assert consumer.poll(100) == {}
    return bool(consumer.assignment()) and all(consumer.position(part) is not None for part in consumer.assignment())


def test_with_its_defaults_a_consumer_reads_what_comes_from_then_on(broker: OwnBroker, servers: str) -> None:
    before, after = clicks("before", 10), clicks("after", 10)
    with (
        EventProducer(broker.settings) as producer,
        closing(KafkaConsumer(TOPIC, bootstrap_servers=servers, consumer_timeout_ms=WAIT_S * 1000)) as consumer,
    ):
        producer.send(TOPIC, before)
        producer.flush()
        eventually(lambda: is_at_the_end(consumer), "a consumer that knows where it begins")
        producer.send(TOPIC, after)
        producer.flush()
        assert read(consumer, len(after)) == ids(after)


def test_its_admin_sees_the_topics_as_they_are_declared_and_what_it_changes_is_set_right(
    broker: OwnBroker, servers: str
) -> None:
    topic = ConfigResource(ConfigResourceType.TOPIC, TOPIC)
    with closing(KafkaAdminClient(bootstrap_servers=servers)) as admin:
        assert set(contracts()) <= set(admin.list_topics())
        (described,) = admin.describe_topics([TOPIC])
        assert len(described["partitions"]) == broker.settings.kafka.partitions
        config = admin.describe_configs([topic])["topic"][TOPIC]
        assert (config["message.timestamp.type"]["value"], config["retention.ms"]["value"]) == ("LogAppendTime", "-1")
        with pytest.raises(TopicAlreadyExistsError):
            admin.create_topics({TOPIC: {"num_partitions": 1}})

        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, TOPIC, {"retention.ms": "1000"})])
        assert ensure_topics(broker.settings) == (TOPIC,)
        assert admin.describe_configs([topic])["topic"][TOPIC]["retention.ms"]["value"] == "-1"


def test_a_topic_that_its_admin_made_first_is_given_what_the_lake_relies_on(broker: OwnBroker, servers: str) -> None:
    with closing(KafkaAdminClient(bootstrap_servers=servers)) as admin:
        admin.delete_topics([TOPIC])
        admin.create_topics({TOPIC: {"num_partitions": 2}}, wait_for_metadata=True)
        assert TOPIC in ensure_topics(broker.settings)
        (described,) = admin.describe_topics([TOPIC])
        assert len(described["partitions"]) == 2
        config = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, TOPIC)])["topic"][TOPIC]
        assert config["message.timestamp.type"]["value"] == "LogAppendTime"
