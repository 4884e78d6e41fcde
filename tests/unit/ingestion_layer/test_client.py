"""Which errors of Kafka may pass by themselves, and whose options win."""

import pytest
from confluent_kafka import KafkaError, KafkaException

from config import load_settings
from config.errors import TidemillError
from ingestion_layer.kafka.client import BrokerRefusedError, BrokerUnavailableError, broker_error, client_config
from ingestion_layer.kafka.producer import EventProducer

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
