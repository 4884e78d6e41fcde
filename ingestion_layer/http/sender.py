"""Messages to the broker, and for each request whether the broker has them all."""

import asyncio
import logging
from collections.abc import Callable, Sequence

from confluent_kafka import KafkaError, KafkaException, Producer

from ingestion_layer.http import metrics
from ingestion_layer.http.refusal import RefusedError
from ingestion_layer.kafka.client import client_config
from ingestion_layer.kafka.producer import OPTIONS
from tidemill.config.settings import Settings
from tidemill.contracts.checker import Message

BUSY_S = 0.001
IDLE_S = 0.25
SLICE = 500
"""Of a batch so many are queued without a look at other requests."""
RETRY_AFTER_S = 5
MARGIN_S = 5.0
"""librdkafka looks once a second for messages whose time is over."""
ENVELOPE_BYTES = 512
"""librdkafka counts what it writes around a message as part of it."""

logger = logging.getLogger(__name__)


class Delivery:
    """The messages of one request on their way; ``outcome`` is the first error, or None, when each was answered."""

    __slots__ = ("_error", "_on_end", "_waiting", "outcome")

    def __init__(self, on_end: Callable[[], None]) -> None:
        self._waiting = 1  # the hold of who is still queueing
        self._error: KafkaError | None = None
        self._on_end = on_end
        self.outcome: asyncio.Future[KafkaError | None] = asyncio.get_running_loop().create_future()

    def expect(self) -> None:
        self._waiting += 1

    def report(self, error: KafkaError | None, _message: object = None) -> None:
        """One message was acknowledged, or failed for good."""
        if error is not None and self._error is None:
            self._error = error
        self._waiting -= 1
        if self._waiting:
            return
        self._on_end()
        if not self.outcome.done():  # nobody waits any more when its time was over
            self.outcome.set_result(self._error)


class Sender:
    """An idempotent producer with ``acks=all`` whose reports are read in the event loop: no thread, no lock.

    What it may hold is bounded by who gives it messages (:class:`ingestion_layer.http.room.Room`).
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._timeout_s = settings.events.acknowledge_timeout_s
        self._config = client_config(
            settings,
            **{
                **OPTIONS,
                "client.id": "tidemill-events",
                "linger.ms": 2,
                "message.timeout.ms": int(self._timeout_s * 1000),
                # A topic that is gone is told as such, not as a broker that is slow.
                "topic.metadata.propagation.max.ms": int(self._timeout_s * 500),
                "queue.buffering.max.messages": 0,
                "queue.buffering.max.kbytes": 2**31 - 1,
                "delivery.report.only.error": False,
                "error_cb": self._on_error,
            },
        )
        self._largest = int(self._config["message.max.bytes"]) - ENVELOPE_BYTES
        self._in_flight = 0
        self._is_dead = False
        self._timer: asyncio.TimerHandle | None = None
        self._is_idle = True

    def start(self) -> None:
        """Within the event loop; no broker is asked for."""
        self._loop = asyncio.get_running_loop()
        self._producer = self._made()
        self._schedule(IDLE_S)

    async def stop(self) -> None:
        """Wait for what is in flight; it is answered in time, by the broker or by its end."""
        deadline = self._loop.time() + self._timeout_s + MARGIN_S
        while self._in_flight and self._loop.time() < deadline:
            await asyncio.sleep(BUSY_S)
        if self._timer is not None:
            self._timer.cancel()
        if self._in_flight:
            logger.error("%d requests had messages that the broker never answered", self._in_flight)

    def check_sizes(self, messages: Sequence[Message]) -> None:
        """Before anything of a batch is sent.

        Raises:
            RefusedError: 413, one is larger than a message may be.
        """
        largest = max((len(message.value) + len(message.key) for message in messages), default=0)
        if largest > self._largest:
            detail = f"an event takes {largest:,} bytes as a message, and {self._largest:,} is the most"
            raise RefusedError(413, detail)

    async def send(self, topic: str, messages: Sequence[Message], on_end: Callable[[], None]) -> None:
        """Return when the broker has acknowledged all; ``on_end`` is called when it, or its time, answered for each.

        Raises:
            RefusedError: 503, it has not; some of them may be on the topic, and sending all again is harmless.
        """
        delivery = Delivery(self._ended(on_end))
        self._in_flight += 1
        try:
            await self._queue(topic, messages, delivery)
        except (BufferError, KafkaException) as error:
            raise self._refused(str(error.args[0])) from error
        finally:
            delivery.report(None)
            self._wake()
        await self._answered(delivery)

    async def _queue(self, topic: str, messages: Sequence[Message], delivery: Delivery) -> None:
        producer = self._alive()
        for number, (key, value) in enumerate(messages, start=1):
            producer.produce(topic, value, key, on_delivery=delivery.report)
            delivery.expect()
            if not number % SLICE:
                self._wake()
                await asyncio.sleep(0)
                producer = self._alive()

    async def _answered(self, delivery: Delivery) -> None:
        started = self._loop.time()
        try:
            async with asyncio.timeout(self._timeout_s + MARGIN_S):
                error = await delivery.outcome
        except TimeoutError:
            raise self._refused("no answer in time") from None
        if error is not None:
            raise self._refused(error.str())
        metrics.acknowledge_seconds.observe(self._loop.time() - started)

    def _refused(self, cause: str) -> RefusedError:
        detail = f"the broker did not acknowledge ({cause}): send it again, an id that comes twice counts once"
        return RefusedError(503, detail, retry_after_s=RETRY_AFTER_S)

    def _ended(self, on_end: Callable[[], None]) -> Callable[[], None]:
        def ended() -> None:
            self._in_flight -= 1
            on_end()

        return ended

    def _made(self) -> Producer:
        return Producer(self._config, logger=logging.getLogger("librdkafka"))

    def _alive(self) -> Producer:
        """The producer, or another in its place: after a fatal error one sends nothing any more."""
        if self._is_dead:
            self._is_dead = False
            self._producer.purge()
            self._producer.flush(1.0)
            self._producer = self._made()
        return self._producer

    def _on_error(self, error: KafkaError) -> None:
        if error.fatal():
            logger.error("the producer cannot go on, another takes its place: %s", error)
            self._is_dead = True

    def _wake(self) -> None:
        """Reports are looked for often while there may be some."""
        if self._is_idle:
            self._schedule(BUSY_S)

    def _schedule(self, delay_s: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._is_idle = delay_s == IDLE_S
        self._timer = self._loop.call_later(delay_s, self._serve)

    def _serve(self) -> None:
        self._producer.poll(0)
        self._schedule(BUSY_S if self._in_flight else IDLE_S)
