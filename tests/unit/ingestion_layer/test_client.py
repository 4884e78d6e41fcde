"""Which errors of Kafka may pass by themselves, whose options win, and what is no event stops no other."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace

import numpy as np
import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from ingestion_layer.kafka import client, offsets
from ingestion_layer.kafka.client import BrokerRefusedError, BrokerUnavailableError, ask, broker_error, client_config
from ingestion_layer.kafka.offsets import Offsets, topic_offsets
from ingestion_layer.kafka.producer import ContractViolationError, EventProducer
from tests.cases.broken import Away
from tests.unit.tidemill.contracts.test_checker import GOOD, TOPIC, changed
from tidemill.config import load_settings
from tidemill.config.errors import TidemillError
from tidemill.contracts import Reason, Rejection

RETRIABLE = {
    "CORRUPT_MESSAGE": 2,
    "UNKNOWN_TOPIC_OR_PARTITION": 3,
    "LEADER_NOT_AVAILABLE": 5,
    "NOT_LEADER_OR_FOLLOWER": 6,
    "REQUEST_TIMED_OUT": 7,
    "REPLICA_NOT_AVAILABLE": 9,
    "NETWORK_EXCEPTION": 13,
    "COORDINATOR_LOAD_IN_PROGRESS": 14,
    "COORDINATOR_NOT_AVAILABLE": 15,
    "NOT_COORDINATOR": 16,
    "NOT_ENOUGH_REPLICAS": 19,
    "NOT_ENOUGH_REPLICAS_AFTER_APPEND": 20,
    "NOT_CONTROLLER": 41,
    "CONCURRENT_TRANSACTIONS": 51,
    "KAFKA_STORAGE_ERROR": 56,
    "FETCH_SESSION_ID_NOT_FOUND": 70,
    "INVALID_FETCH_SESSION_EPOCH": 71,
    "LISTENER_NOT_FOUND": 72,
    "FENCED_LEADER_EPOCH": 74,
    "UNKNOWN_LEADER_EPOCH": 75,
    "OFFSET_NOT_AVAILABLE": 78,
    "PREFERRED_LEADER_NOT_AVAILABLE": 80,
    "ELIGIBLE_LEADERS_NOT_AVAILABLE": 83,
    "ELECTION_NOT_NEEDED": 84,
    "UNSTABLE_OFFSET_COMMIT": 88,
    "THROTTLING_QUOTA_EXCEEDED": 89,
    "UNKNOWN_TOPIC_ID": 100,
    "INCONSISTENT_TOPIC_ID": 103,
    "FETCH_SESSION_TOPIC_ID_ERROR": 106,
    "SHARE_SESSION_NOT_FOUND": 122,
    "INVALID_SHARE_SESSION_EPOCH": 123,
    "SHARE_SESSION_LIMIT_REACHED": 133,
}
"""Source: the error codes that Kafka 4.3.1 prints (org.apache.kafka.common.protocol.Errors), those it may retry."""
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


@pytest.mark.parametrize("code", RETRIABLE.values(), ids=RETRIABLE.keys())
def test_what_kafka_calls_retriable_is_transient_and_does_not_say_that_nobody_answered(code: int) -> None:
    error = broker_error(SETTINGS, "reading t", KafkaError(code))
    assert isinstance(error, BrokerUnavailableError)
    assert "127.0.0.1:1 is not ready (" in str(error)


def answers(*codes: int) -> Callable[[], str]:
    """A question that is answered with each of ``codes``, then well."""
    left = list(codes)

    def question() -> str:
        if left:
            raise KafkaException(KafkaError(left.pop(0)))
        return "well"

    return question


def test_a_broker_that_is_not_ready_is_asked_again_and_one_that_refuses_or_is_away_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client, "PAUSE_S", 0.0)
    assert ask(SETTINGS, "asking", answers(*RETRIABLE.values())) == "well"
    assert ask(SETTINGS, "waiting for leaders", answers(KafkaError._NOENT)) == "well"
    with pytest.raises(BrokerRefusedError, match=r"^asking: "):
        ask(SETTINGS, "asking", answers(KafkaError.TOPIC_AUTHORIZATION_FAILED))
    with pytest.raises(BrokerUnavailableError, match="no Kafka broker"):
        ask(SETTINGS, "asking", answers(KafkaError._TRANSPORT))
    monkeypatch.setattr(client, "PATIENCE_S", 0.0)
    with pytest.raises(BrokerUnavailableError, match="not ready"):
        ask(SETTINGS, "asking", answers(KafkaError.NOT_LEADER_FOR_PARTITION))
    assert ask(SETTINGS, "asking", answers(KafkaError.NOT_LEADER_FOR_PARTITION), patience_s=60) == "well"


def test_offsets_are_asked_again_of_a_partition_that_has_no_leader_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """The admin client stands in for a broker just started: its topic, then its partition, has no leader at first."""
    no_leader, other_leader = KafkaError.LEADER_NOT_AVAILABLE, KafkaError.NOT_LEADER_FOR_PARTITION
    errors = iter([KafkaError(no_leader), None, None])
    offset_of = answers(other_leader)

    class Admin:
        def list_topics(self, topic: str, timeout: float) -> object:
            return SimpleNamespace(topics={topic: SimpleNamespace(error=next(errors), partitions={0: None})})

        def list_offsets(self, asked: dict[TopicPartition, object], **_: object) -> dict[TopicPartition, object]:
            def result() -> object:
                offset_of()
                return SimpleNamespace(offset=7)

            return {partition: SimpleNamespace(result=result) for partition in asked}

    monkeypatch.setattr(client, "PAUSE_S", 0.0)
    monkeypatch.setattr(offsets, "AdminClient", lambda _: Admin())
    assert topic_offsets(SETTINGS, "t") == {0: Offsets(7, 7, 7)}


def test_the_settings_options_win() -> None:
    settings = load_settings({"TIDEMILL_KAFKA__CLIENT": '{"security.protocol": "SSL", "linger.ms": "7"}'})
    config = client_config(settings, **{"linger.ms": 20, "acks": "all"})
    assert (config["security.protocol"], config["linger.ms"], config["acks"]) == ("SSL", "7", "all")


def test_a_producer_without_broker_is_a_transient_error_at_once() -> None:
    kafka = SETTINGS.kafka.model_copy(update={"delivery_timeout_s": 0.5})
    with pytest.raises(BrokerUnavailableError, match=r"127\.0\.0\.1:1"):
        EventProducer(SETTINGS.model_copy(update={"kafka": kafka}))


@pytest.fixture
def producer() -> Iterator[EventProducer]:
    """A producer whose broker is the one within librdkafka."""
    with EventProducer(load_settings({"TIDEMILL_KAFKA__CLIENT": '{"test.mock.num.brokers": "1"}'})) as producer:
        yield producer


def test_an_event_that_raises_when_it_is_read_stops_no_other(producer: EventProducer) -> None:
    refused: list[tuple[str, Rejection]] = []
    events = [GOOD, Away(), changed(quantity=np.int64(3), unit_price=np.float32(0.5)), changed(more={1: 2}), GOOD]
    producer.send(TOPIC, events, lambda _, topic, rejection: refused.append((topic, rejection)))
    assert refused == [
        (TOPIC, Rejection(Reason.NOT_JSON, ": a Away cannot be read: OSError: gone")),
        (TOPIC, Rejection(Reason.NOT_JSON, "/data/more: the key 1 is no text")),
    ]
    assert producer.flush().by_topic == {TOPIC: 3}


def test_without_a_taker_it_is_a_violation_that_names_what_can_be_named(producer: EventProducer) -> None:
    with pytest.raises(ContractViolationError, match="event Away is not_json at : a Away cannot be read"):
        producer.send(TOPIC, [Away()])
