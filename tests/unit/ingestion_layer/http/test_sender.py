"""The producer without a broker: every request is told so in time, and gives its room back."""

import asyncio
import socket
from pathlib import Path

import pytest
from confluent_kafka import KafkaError

from ingestion_layer.http.refusal import RefusedError
from ingestion_layer.http.sender import Delivery, Sender
from tests.unit.ingestion_layer.http.requests import TOPIC
from tidemill.config import load_settings
from tidemill.contracts.checker import Message

MESSAGE = Message(b"s-1", b"{}")


def sender(home: Path, **kafka_client: str) -> Sender:
    """Its broker is a port that nobody listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = load_settings(
        {
            "TIDEMILL_HOME": str(home),
            "TIDEMILL_KAFKA__BOOTSTRAP_SERVERS": f"127.0.0.1:{port}",
            "TIDEMILL_EVENTS__ACKNOWLEDGE_TIMEOUT_S": "1",
        }
    )
    kafka = settings.kafka.model_copy(
        update={"client": {name.replace("_", "."): v for name, v in kafka_client.items()}}
    )
    return Sender(settings.model_copy(update={"kafka": kafka}))


def test_what_no_broker_acknowledges_is_refused_and_its_end_is_told_once(tmp_path: Path) -> None:
    ended: list[int] = []

    async def run() -> None:
        without = sender(tmp_path)
        without.start()
        sending = [without.send(TOPIC, [MESSAGE] * 3, lambda: ended.append(1)) for _ in range(2)]
        for outcome in await asyncio.gather(*sending, return_exceptions=True):
            assert isinstance(outcome, RefusedError)
            assert outcome.status == 503
            assert (b"retry-after", b"5") in outcome.headers
            assert "did not acknowledge" in outcome.detail
        await without.stop()

    asyncio.run(run())
    assert ended == [1, 1]


def test_nothing_to_send_is_sent_at_once(tmp_path: Path) -> None:
    async def run() -> None:
        without = sender(tmp_path)
        without.start()
        await without.send(TOPIC, [], lambda: None)
        await without.stop()

    asyncio.run(run())


def test_a_message_larger_than_the_brokers_is_refused_before_any_is_sent(tmp_path: Path) -> None:
    small = sender(tmp_path, message_max_bytes="2000")
    small.check_sizes([MESSAGE] * 100)
    with pytest.raises(RefusedError, match="takes 1,489 bytes as a message, and 1,488 is the most") as caught:
        small.check_sizes([MESSAGE, Message(b"k", b"a" * 1_488)])
    assert caught.value.status == 413


def test_a_delivery_ends_with_its_last_report_and_keeps_the_first_error() -> None:
    ended: list[int] = []

    async def run() -> KafkaError | None:
        delivery = Delivery(lambda: ended.append(1))
        for _ in range(3):
            delivery.expect()
        delivery.report(None)
        delivery.report(KafkaError(KafkaError._MSG_TIMED_OUT))
        delivery.report(KafkaError(KafkaError._ALL_BROKERS_DOWN))
        assert not ended
        assert not delivery.outcome.done()
        delivery.report(None)
        return await delivery.outcome

    error = asyncio.run(run())
    assert error is not None
    assert (error.code(), ended) == (KafkaError._MSG_TIMED_OUT, [1])


def test_a_report_that_comes_after_the_wait_was_given_up_still_gives_the_room_back() -> None:
    ended: list[int] = []

    async def run() -> None:
        delivery = Delivery(lambda: ended.append(1))
        delivery.outcome.cancel()
        delivery.report(None)

    asyncio.run(run())
    assert ended == [1]
