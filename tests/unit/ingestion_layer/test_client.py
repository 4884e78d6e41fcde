"""Which errors of Kafka may pass by themselves, whose options win, and what is no event stops no other."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest
from confluent_kafka import KafkaError, KafkaException

from config import load_settings
from config.errors import TidemillError
from contracts import Reason, Rejection
from ingestion_layer.kafka.client import BrokerRefusedError, BrokerUnavailableError, broker_error, client_config
from ingestion_layer.kafka.producer import ContractViolationError, EventProducer
from tests.unit.contracts.test_checker import GOOD, TOPIC, changed

SETTINGS = load_settings({"TIDEMILL_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1"})


@pytest.mark.parametrize(
    ("code", "kind", "status"),
    [
        (KafkaError._TRANSPORT, BrokerUnavailableError, 75),
        (KafkaError._TIMED_OUT, BrokerUnavailableError, 75),
        (KafkaError.REQUEST_TIMED_OUT, BrokerUnavailableError, 75),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, BrokerRefusedError, 1),
        (KafkaError.INVALID_CONFIG, BrokerRefusedError, 1),
        (KafkaError.MSG_SIZE_TOO_LARGE, BrokerRefusedError, 1),
    ],
)
def test_an_error_is_transient_or_terminal(code: int, kind: type[TidemillError], status: int) -> None:
    error = broker_error(SETTINGS, "creating topic t", KafkaException(KafkaError(code)))
    assert isinstance(error, kind)
    assert error.exit_status == status
    assert str(error).startswith("creating topic t: ")
    assert "127.0.0.1:1" in str(error)


def test_the_settings_options_win() -> None:
    settings = load_settings({"TIDEMILL_KAFKA__CLIENT": '{"security.protocol": "SSL", "linger.ms": "7"}'})
    config = client_config(settings, **{"linger.ms": 20, "acks": "all"})
    assert (config["security.protocol"], config["linger.ms"], config["acks"]) == ("SSL", "7", "all")


def test_a_producer_without_broker_is_a_transient_error_at_once() -> None:
    kafka = SETTINGS.kafka.model_copy(update={"delivery_timeout_s": 0.5})
    with pytest.raises(BrokerUnavailableError, match=r"127\.0\.0\.1:1"):
        EventProducer(SETTINGS.model_copy(update={"kafka": kafka}))


class Broken(Mapping[str, Any]):
    """An event whose source is gone."""

    def __getitem__(self, key: str) -> Any:
        raise OSError("gone")

    def __iter__(self) -> Iterator[str]:
        raise OSError("gone")

    def __len__(self) -> int:
        return 1


@pytest.fixture
def producer() -> Iterator[EventProducer]:
    """A producer whose broker is the one within librdkafka."""
    with EventProducer(load_settings({"TIDEMILL_KAFKA__CLIENT": '{"test.mock.num.brokers": "1"}'})) as producer:
        yield producer


def test_an_event_that_raises_when_it_is_read_stops_no_other(producer: EventProducer) -> None:
    refused: list[tuple[str, Rejection]] = []
    events = [GOOD, Broken(), changed(quantity=np.int64(3), unit_price=np.float32(0.5)), changed(more={1: 2}), GOOD]
    producer.send(TOPIC, events, lambda _, topic, rejection: refused.append((topic, rejection)))
    assert refused == [
        (TOPIC, Rejection(Reason.NOT_JSON, ": a Broken cannot be read: OSError: gone")),
        (TOPIC, Rejection(Reason.NOT_JSON, "/data/more: the key 1 is no text")),
    ]
    assert producer.flush().by_topic == {TOPIC: 3}


def test_without_a_taker_it_is_a_violation_that_names_what_can_be_named(producer: EventProducer) -> None:
    with pytest.raises(ContractViolationError, match="event Broken is not_json at : a Broken cannot be read"):
        producer.send(TOPIC, [Broken()])
