"""The log without a broker: nothing listens on the port of these settings."""

from pathlib import Path

import pytest
from confluent_kafka import Producer
from prometheus_client import REGISTRY

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
