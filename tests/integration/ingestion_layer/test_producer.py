"""The producer against a real broker: what it says was acknowledged is there, in order, under its key."""

from collections import Counter, defaultdict
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import orjson
import pytest

from ingestion_layer.kafka.producer import ContractViolationError, EventProducer, RawMessage
from ingestion_layer.kafka.topics import ensure_topics
from tests.cases.kafka_messages import ends, messages_after
from tidemill.config import Settings
from tidemill.contracts import Rejection, contract
from tidemill.contracts.events import event_at

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


def test_what_cannot_be_sent_is_handed_back_and_all_others_are_sent(
    settings: Settings, kafka: str, before: dict[int, int]
) -> None:
    bad: list[Any] = [
        click(101, kind="hover"),
        click(102, page="\ud800"),
        click(103, more=float("nan")),
        click(104, more={1}),
        click(105, more=datetime(2024, 5, 1)),
        click(106, customer_id=float("nan")),
        click(107, more=10**2_000),
        "not an event",
    ]
    good: list[Any] = [click(number) for number in range(20)]
    good += [click(20, more=Decimal("1.10")), click(21, more=2**64), MappingProxyType(click(22))]
    rejected: list[tuple[Any, str, Rejection]] = []
    with EventProducer(settings) as producer:
        producer.send(TOPIC, [*bad[:4], *good[:12], *bad[4:], *good[12:]], lambda *given: rejected.append(given))
        assert producer.flush().total == len(good)
    assert [event for event, _, _ in rejected] == bad
    assert {topic for _, topic, _ in rejected} == {TOPIC}
    assert [rejection.detail.split(":")[0] for _, _, rejection in rejected] == [
        "/data/kind",
        "/data/page",
        "/data/more",
        "/data/more",
        "/data/more",
        "/data/customer_id",
        "/data/more",
        "",
    ]
    values = [message.value() for message in messages_after(kafka, TOPIC, before)]
    assert {orjson.loads(value)["id"] for value in values} == {event["id"] for event in good}
    assert any(b'"more":1.10}' in value for value in values)
    assert any(b'"more":18446744073709551616}' in value for value in values)


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


def test_a_message_too_large_is_handed_back_and_all_others_are_sent(
    settings: Settings, kafka: str, before: dict[int, int]
) -> None:
    large, rejected = {**click(1), "traceparent": "x" * 20_000_000}, list[tuple[Any, str, Rejection]]()
    with EventProducer(settings) as producer:
        producer.send(TOPIC, [click(0), large, click(2)], lambda *given: rejected.append(given))
        assert producer.flush().total == 2
    assert [event for event, _, _ in rejected] == [large]
    assert "message.max.bytes" in rejected[0][2].detail
    with pytest.raises(ContractViolationError, match=r"message\.max\.bytes"), EventProducer(settings) as producer:
        producer.send(TOPIC, [RawMessage(b"k", b"x" * 20_000_000)])
