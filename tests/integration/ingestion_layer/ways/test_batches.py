"""Batches of lines over HTTP, by each way in: a receipt once the broker has them all, or the reason of each line."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import orjson
import pytest
from confluent_kafka import KafkaException

from ingestion_layer.kafka.topics import ensure_topics
from tests.cases.kafka_messages import Offsets, ends, messages_after
from tests.integration.ingestion_layer.ways.partner_folders import until
from tests.integration.own_broker import OwnBroker
from tidemill.config import Settings
from tidemill.contracts import event_id
from tidemill.stack.services import events as events_service
from tidemill.stack.supervision.running import running

TOPIC = "shop.click.v1"
SOURCE = "urn:shop:till:17"


class Till:
    """What sells, and tells it to ``url``; its keys are its own."""

    def __init__(self, url: str, name: str) -> None:
        self.url, self._name = url, name
        self._client = httpx.Client(trust_env=False, timeout=120)

    def key(self, key: str) -> str:
        return f"{self._name}-{key}"

    def send(self, key: str | None, body: bytes, topic: str = TOPIC) -> httpx.Response:
        headers = {"content-type": "application/jsonl"} | ({"idempotency-key": self.key(key)} if key else {})
        return self._client.post(
            f"{self.url}/batches/{topic}", params={"source": SOURCE}, content=body, headers=headers
        )


@pytest.fixture(params=[pytest.param("nifi", marks=[pytest.mark.ingestion, pytest.mark.matrix]), "python"])
def till(request: pytest.FixtureRequest, broker: OwnBroker) -> Iterator[Till]:
    """Each kind of way in turn."""
    ensure_topics(broker.settings)
    name = request.node.name
    if request.param == "nifi":
        nifi: Settings = request.getfixturevalue("nifi")
        yield Till(f"http://127.0.0.1:{nifi.nifi.receiver_port}", name)
        return
    with running(events_service.services(broker.settings)[0], broker.settings):
        yield Till(broker.settings.events.url, name)


def line(number: int, kind: str = "view") -> bytes:
    data = {"session_id": f"s-{number}", "kind": kind, "page": f"/p/{number}", "device": "mobile"}
    return json.dumps({"time": "2026-03-02T09:00:00Z", "data": data}).encode()


def batch(*numbers: int) -> bytes:
    return b"\n".join(map(line, numbers))


def sent(broker: OwnBroker, starts: Offsets) -> list[dict[str, Any]]:
    return [orjson.loads(message.value()) for message in messages_after(broker.servers, TOPIC, starts)]


def sessions(broker: OwnBroker, starts: Offsets) -> set[str]:
    """What was sent, as soon as a broker that has just been started answers for every partition; before: nothing."""
    try:
        return {event["data"]["session_id"] for event in sent(broker, starts)}
    except KafkaException:
        return set()


def test_a_batch_is_answered_with_its_receipt_once_all_of_it_is_on_the_topic(till: Till, broker: OwnBroker) -> None:
    starts = ends(broker.servers, TOPIC)
    answer = till.send("sold", batch(1, 2, 3))
    assert answer.status_code == 202
    receipt = answer.json()
    assert (receipt["key"], receipt["source"], receipt["topic"], receipt["count"]) == (
        till.key("sold"),
        SOURCE,
        TOPIC,
        3,
    )
    events = sent(broker, starts)
    assert {event["id"] for event in events} == {event_id(SOURCE, f"{till.key('sold')}/{n}") for n in (1, 2, 3)}
    assert sorted(event["data"]["session_id"] for event in events) == ["s-1", "s-2", "s-3"]
    assert set(receipt["ids"]) == {event["id"] for event in events}


def test_a_batch_that_is_sent_again_has_the_same_receipt_and_the_same_ids(till: Till, broker: OwnBroker) -> None:
    starts = ends(broker.servers, TOPIC)
    first, again = (till.send("again", batch(4, 5)) for _ in range(2))
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json() == again.json()
    assert len({event["id"] for event in sent(broker, starts)}) == 2


def test_a_batch_with_bad_lines_is_refused_whole_and_each_is_named(till: Till, broker: OwnBroker) -> None:
    starts = ends(broker.servers, TOPIC)
    answer = till.send("bad", b"\n".join([line(6), b"{", line(7), line(8, kind="look")]))
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    told = {error["line"]: (error["reason"], error["pointer"]) for error in answer.json()["errors"]}
    assert told[4] == ("schema", "/data/kind")
    assert told[2][0] == "not_json"
    assert set(told) == {2, 4}
    assert ends(broker.servers, TOPIC) == starts


def test_a_key_means_one_batch(till: Till, broker: OwnBroker) -> None:
    assert till.send("one", batch(9)).status_code == 202
    starts = ends(broker.servers, TOPIC)
    answer = till.send("one", batch(10))
    assert answer.status_code == 422
    assert "came with another body before" in answer.json()["detail"]
    assert ends(broker.servers, TOPIC) == starts


def test_what_is_no_batch_is_told_why(till: Till, broker: OwnBroker) -> None:
    starts = ends(broker.servers, TOPIC)
    assert till.send(None, batch(11)).status_code == 400
    assert till.send("nowhere", batch(11), topic="shop.clicks.v1").status_code == 404
    most = broker.settings.events.max_body_bytes
    assert till.send("large", b" " * (most + 1)).status_code == 413
    assert ends(broker.servers, TOPIC) == starts


def test_while_the_broker_is_away_a_batch_is_to_come_later(till: Till, broker: OwnBroker) -> None:
    starts = ends(broker.servers, TOPIC)
    broker.stop()
    try:
        answer = till.send("later", batch(12, 13))
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
    finally:
        broker.start()
    until(lambda: till.send("later", batch(12, 13)).status_code == 202)
    until(lambda: sessions(broker, starts) == {"s-12", "s-13"})
