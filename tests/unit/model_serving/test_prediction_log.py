"""The log without a broker: nothing listens on the port of these settings."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer
from prometheus_client import REGISTRY

from model_serving import prediction_log
from model_serving.prediction_log import PredictionLog
from tests.unit.model_serving.answers import answer
from tidemill.config import Settings, load_settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(
        {
            "TIDEMILL_HOME": str(tmp_path),
            "TIDEMILL_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1",
            "TIDEMILL_SERVING__PREDICTION_QUEUE": "10",
        }
    )


def outcome(name: str) -> float:
    return REGISTRY.get_sample_value("tidemill_serving_prediction_log_total", {"outcome": name}) or 0.0


def test_what_does_not_fit_is_dropped_whole_and_counted(settings: Settings) -> None:
    log = PredictionLog(settings)
    before = outcome("dropped_full")

    taken = [log.offer(answer(4)), log.offer(answer(4)), log.offer(answer(4)), log.offer(answer(2))]

    assert taken == [True, True, False, True]
    assert (log.waiting, log.dropped) == (10, 4)
    assert outcome("dropped_full") - before == 4


def test_without_a_broker_offering_goes_on_and_closing_counts_what_was_lost(settings: Settings) -> None:
    log = PredictionLog(settings)
    before = outcome("dropped_shutdown")
    log.start()

    assert all(log.offer(answer(1)) for _ in range(10))
    assert not log.offer(answer(1))
    log.close(0.2)

    assert (log.waiting, log.dropped) == (0, 11)
    assert outcome("dropped_shutdown") - before == 10


def test_a_prediction_that_the_producer_refuses_ends_the_log_of_no_other(settings: Settings) -> None:
    log = PredictionLog(settings)
    before = outcome("dropped_undelivered")
    assert log.offer(answer(3))
    producer = Producer({"bootstrap.servers": "127.0.0.1:1", "log_level": 0, "queue.buffering.max.messages": 1})

    log._send(producer, answer(3))
    producer.purge()

    assert (log.waiting, log.dropped) == (1, 2)
    assert outcome("dropped_undelivered") - before == 2


class MortalProducer:
    """A producer as librdkafka's is; the first that is made has a fatal error when it holds a message."""

    def __init__(self, made: list["MortalProducer"], on_error: Callable[[KafkaError], None]) -> None:
        made.append(self)
        self.is_mortal = len(made) == 1
        self.on_error = on_error
        self.held: list[Callable[[KafkaError | None, object], None]] = []

    def produce(self, _topic: str, on_delivery: Callable[[KafkaError | None, object], None], **_: bytes) -> None:
        if self.is_mortal and self.held:
            raise KafkaException(KafkaError(KafkaError._FATAL))
        self.held.append(on_delivery)

    def poll(self, _: float) -> None:
        if self.is_mortal and self.held:
            self.on_error(KafkaError(KafkaError._FATAL, "out of order sequence", fatal=True))
        elif not self.is_mortal:
            self._report(None)

    def purge(self) -> None:
        self.is_purged = True

    def flush(self, _: float) -> None:
        self._report(KafkaError(KafkaError._PURGE_QUEUE))

    def _report(self, error: KafkaError | None) -> None:
        while self.held:
            self.held.pop()(error, None)


def test_after_a_fatal_error_another_producer_sends_what_comes_and_what_the_dead_one_held_is_counted(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[MortalProducer] = []

    def producer(config: dict[str, Any], **_: object) -> MortalProducer:
        return MortalProducer(made, config["error_cb"])

    monkeypatch.setattr(prediction_log, "Producer", producer)
    monkeypatch.setattr(prediction_log, "create_topics", lambda _: None)
    monkeypatch.setattr(prediction_log, "RETRY_S", 0.0)
    log = PredictionLog(settings)
    sent, lost = outcome("sent"), outcome("dropped_undelivered")

    assert log.offer(answer(2))
    assert log.offer(answer(3))
    log.start()
    log.close(10)

    assert (len(made), made[0].is_purged) == (2, True)
    assert (outcome("sent") - sent, outcome("dropped_undelivered") - lost) == (3, 2)
    assert (log.waiting, log.error) == (0, None)
