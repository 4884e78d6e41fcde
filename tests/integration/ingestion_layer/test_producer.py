"""The producer against a real broker: what it says was acknowledged is there, in order, under its key."""

from collections import Counter, defaultdict
from typing import Any

import orjson
import pytest

from config import Settings
from contracts import Rejection, contract
from contracts.events import event_at
from ingestion_layer.kafka.client import BrokerRefusedError
from ingestion_layer.kafka.producer import ContractViolationError, Event, EventProducer, RawMessage
from ingestion_layer.kafka.topics import ensure_topics
from tests.cases.kafka_messages import ends, messages_after

TOPIC = "shop.click.v1"


def click(number: int, **data: Any) -> dict[str, Any]:
    fields = {"session_id": f"S{number % 50}", "kind": "view", "page": "/", "device": "mobile", **data}
    return event_at(contract(TOPIC), "urn:test:producer", str(number), "2024-05-01T00:00:00Z", fields)


@pytest.fixture
def before(settings: Settings, kafka: str) -> dict[int, int]:
    """The ends of the partitions before the test."""
    ensure_topics(settings)
    return ends(kafka, TOPIC)


def test_acknowledgements_are_the_messages_on_the_broker(
    settings: Settings, kafka: str, before: dict[int, int]
) -> None:
    events = [click(number) for number in range(30_000)]
    with EventProducer(settings) as producer:
        producer.send(TOPIC, events)
        acknowledged = producer.flush()
    after = ends(kafka, TOPIC)
    assert acknowledged.by_topic == {TOPIC: 30_000}
    assert sum(after[n] - before[n] for n in after) == 30_000
    assert all(after[n] > before[n] for n in after)
    values = [message.value() for message in messages_after(kafka, TOPIC, before)]
    assert Counter(orjson.loads(value)["id"] for value in values) == Counter(event["id"] for event in events)


def test_the_events_of_a_key_stay_in_order_in_one_partition(
    settings: Settings, kafka: str, before: dict[int, int]
) -> None:
    with EventProducer(settings) as producer:
        producer.send(TOPIC, [click(number, page=f"/{number}") for number in range(5_000)])
    partitions, pages = defaultdict(set), defaultdict(list)
    for message in messages_after(kafka, TOPIC, before):
        data = orjson.loads(message.value())["data"]
        assert message.key() == data["session_id"].encode()
        partitions[message.key()].add(message.partition())
        pages[message.key()].append(int(data["page"][1:]))
    assert len(pages) == 50
    assert all(len(found) == 1 for found in partitions.values())
    assert all(numbers == sorted(numbers) and len(numbers) == 100 for numbers in pages.values())


def test_an_event_that_breaks_its_contract_is_not_sent(settings: Settings, kafka: str, before: dict[int, int]) -> None:
    rejected: list[tuple[Event, Rejection]] = []
    with EventProducer(settings) as producer:
        producer.send(
            TOPIC,
            [click(1), click(2, kind="hover"), click(3)],
            lambda event, rejection: rejected.append((event, rejection)),
        )
        assert producer.flush().total == 2
    assert [(event["id"], rejection.detail[:11]) for event, rejection in rejected] == [(click(2)["id"], "/data/kind:")]
    assert len(messages_after(kafka, TOPIC, before)) == 2


def test_a_violation_nobody_takes_back_is_an_error(settings: Settings, kafka: str) -> None:
    with pytest.raises(ContractViolationError, match="/data/kind"), EventProducer(settings) as producer:
        producer.send(TOPIC, [click(2, kind="hover")])


def test_raw_bytes_are_sent_as_they_are(settings: Settings, kafka: str, before: dict[int, int]) -> None:
    with EventProducer(settings) as producer:
        producer.send(TOPIC, [RawMessage(b"k", b"\x00\xff{"), click(1)])
    assert b"\x00\xff{" in [message.value() for message in messages_after(kafka, TOPIC, before)]


def test_a_full_queue_waits_instead_of_losing(settings: Settings, kafka: str, before: dict[int, int]) -> None:
    client = {"queue.buffering.max.messages": "500", "linger.ms": "5"}
    small = settings.model_copy(update={"kafka": settings.kafka.model_copy(update={"client": client})})
    with EventProducer(small) as producer:
        producer.send(TOPIC, (click(number) for number in range(20_000)))
        assert producer.flush().total == 20_000
    assert len(messages_after(kafka, TOPIC, before)) == 20_000


def test_a_message_too_large_is_a_terminal_error(settings: Settings, kafka: str) -> None:
    with pytest.raises(BrokerRefusedError, match=TOPIC), EventProducer(settings) as producer:
        producer.send(TOPIC, [RawMessage(b"k", b"x" * 20_000_000)])
