"""Every prediction to Kafka, without a request ever waiting for it."""

import logging
import math
import queue
import threading
import time
from collections.abc import Iterator
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from ingestion_layer.kafka.client import client_config
from ingestion_layer.kafka.topics import create_topics
from model_serving import metrics
from model_serving.prediction_events import TOPIC, prediction_events
from model_serving.scoring import Answer
from tidemill.config.errors import TidemillError
from tidemill.config.settings import Settings
from tidemill.contracts import Rejection, checker

POLL_S = 0.05
RETRY_S = 2.0

logger = logging.getLogger(__name__)


class PredictionLog:
    """A bounded buffer between requests and the broker.

    ``capacity`` counts the predictions that no broker has acknowledged yet, wherever they wait; what does not fit
    is dropped and counted.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.capacity = settings.serving.prediction_queue
        self._answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._waiting = 0
        self._dropped = 0
        self._stopping = threading.Event()
        self._deadline = math.inf
        self._is_dead = False
        self._thread = threading.Thread(target=self._run, name="prediction-log", daemon=True)
        self.error: str | None = None

    @property
    def waiting(self) -> int:
        return self._waiting

    @property
    def dropped(self) -> int:
        return self._dropped

    def start(self) -> None:
        self._thread.start()

    def offer(self, answer: Answer) -> bool:
        """Take ``answer`` to be logged, all its predictions or none; False when they do not fit."""
        count = len(answer.scored)
        with self._lock:
            fits = self._waiting + count <= self.capacity
            if fits:
                self._waiting += count
        if fits:
            self._answers.put(answer)
        else:
            self._drop(count, "dropped_full")
        metrics.log_waiting.set(self._waiting)
        return fits

    def close(self, timeout_s: float) -> None:
        """Send what waits, for at most ``timeout_s``; the rest is dropped and counted."""
        self._deadline = time.monotonic() + timeout_s
        self._stopping.set()
        self._thread.join(timeout_s)
        if self._waiting:
            logger.error("%d predictions were not logged before the server stopped", self._waiting)
            self._settle(self._waiting, "dropped_shutdown")

    def _run(self) -> None:
        if not self._await_topic():
            return
        producer = self._made()
        while not self._is_over():
            if self._is_dead:
                producer = self._in_place_of(producer)
            try:
                answer = self._answers.get(timeout=POLL_S)
            except queue.Empty:
                producer.poll(0)
                continue
            self._send(producer, answer)

    def _made(self) -> Producer:
        return Producer(self._producer_config(), logger=logging.getLogger("librdkafka"))

    def _in_place_of(self, dead: Producer) -> Producer:
        """Another producer: after a fatal error one sends nothing any more. What it held is dropped and counted."""
        dead.purge()
        dead.flush(1.0)
        self._is_dead = False
        self._stopping.wait(RETRY_S)
        return self._made()

    def _is_over(self) -> bool:
        return self._stopping.is_set() and (not self._waiting or time.monotonic() >= self._deadline)

    def _await_topic(self) -> bool:
        """Wait until the topic exists as its contract wants it, not as the broker would create it; False at the end."""
        while not self._stopping.is_set():
            try:
                create_topics(self._settings)
            except TidemillError as error:
                self._note_broker(str(error))
                self._stopping.wait(RETRY_S)
            else:
                self._note_broker(None)
                return True
        return False

    def _producer_config(self) -> dict[str, Any]:
        return client_config(
            self._settings,
            **{
                "client.id": "tidemill-model-serving",
                "enable.idempotence": True,
                "acks": "all",
                "linger.ms": 20,
                "compression.type": "lz4",
                "queue.buffering.max.messages": self.capacity,
                "message.timeout.ms": 0,  # what waits is bounded by its number, not by its age
                "error_cb": self._on_error,
            },
        )

    def _send(self, producer: Producer, answer: Answer) -> None:
        for key, value in self._messages(answer):
            try:
                producer.produce(TOPIC, key=key, value=value, on_delivery=self._on_delivery)
            except (BufferError, KafkaException) as error:  # one that is too large, say, ends no thread
                logger.error("a prediction of %d bytes is not logged: %s", len(value), error)  # noqa: TRY400
                self._settle(1, "dropped_undelivered")
        producer.poll(0)

    def _messages(self, answer: Answer) -> Iterator[tuple[bytes, bytes]]:
        for made in prediction_events(answer):
            message = checker(TOPIC).encode(made)
            if isinstance(message, Rejection):
                logger.error("a prediction breaks its own contract: %s", message.detail)
                self._settle(1, "dropped_invalid")
            else:
                yield message

    def _on_error(self, error: KafkaError) -> None:
        self._note_broker(str(error))
        if error.fatal():
            logger.error("the producer cannot go on, another takes its place: %s", error)
            self._is_dead = True

    def _on_delivery(self, error: KafkaError | None, message: object) -> None:
        if error is None:
            self._note_broker(None)
            self._settle(1, "sent")
        else:
            self._note_broker(str(error))
            self._settle(1, "dropped_undelivered")

    def _settle(self, count: int, outcome: str) -> None:
        with self._lock:
            self._waiting -= count
        metrics.log_waiting.set(self._waiting)
        if outcome == "sent":
            metrics.logged.labels(outcome).inc(count)
        else:
            self._drop(count, outcome)

    def _drop(self, count: int, outcome: str) -> None:
        with self._lock:
            self._dropped += count
        metrics.logged.labels(outcome).inc(count)

    def _note_broker(self, error: str | None) -> None:
        if error is not None and self.error is None:
            logger.warning("predictions cannot be logged now: %s", error)
        self.error = error
        metrics.dependency_up.labels("prediction_log").set(error is None)
