"""The producer of the sources: checks every event, keys it by its contract, counts what the broker acknowledged."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from time import monotonic
from types import TracebackType
from typing import Any, NamedTuple, Self

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka import Message as DeliveryReport

from ingestion_layer.kafka.client import ask, broker_error, client_config
from tidemill.config.errors import TerminalError, TransientError
from tidemill.config.settings import Settings
from tidemill.contracts.checker import Reason, Rejection, checker

POLL_EVERY = 1_000
CONNECT_S = 15.0
OPTIONS = {
    "enable.idempotence": True,
    "acks": "all",
    "compression.type": "lz4",
    "linger.ms": 20,
    "partitioner": "murmur2_random",  # the Java client's: the same key is in the same partition whoever wrote it
    "queue.buffering.max.messages": 200_000,
    "queue.buffering.max.kbytes": 262_144,
    "message.max.bytes": 10 * 2**20,  # what the local stack's broker takes
    "delivery.report.only.error": True,
}

Event = Mapping[str, Any]


Headers = tuple[tuple[str, bytes], ...]


class RawMessage(NamedTuple):
    """A message sent as it is, without a check: what a broken client would send, or what was checked before."""

    key: bytes | None
    value: bytes
    headers: Headers = ()


Outgoing = Event | RawMessage
OnRejected = Callable[[Event, str, Rejection], None]
"""Takes back an event of a topic that would not be accepted by the lake."""


class ContractViolationError(TerminalError):
    """A source made an event that breaks its contract; it and what follows it was not sent."""


class MessageTooLargeError(TerminalError):
    """One message that no broker is asked to take."""

    def __init__(self, size: int) -> None:
        super().__init__(f"{size:,} bytes are more than `message.max.bytes` lets be sent (set it in kafka.client)")


class NotAcknowledgedError(TransientError):
    """Messages that the broker did not acknowledge; sending them again is safe, since ids repeat."""

    def __init__(
        self, servers: str, acknowledged: int, failed: int, unanswered: int, causes: Mapping[str, int]
    ) -> None:
        told = ", ".join(f"{cause} ({count})" for cause, count in causes.items()) or "no answer in time"
        super().__init__(
            f"the Kafka broker at {servers} acknowledged {acknowledged} messages; {failed} failed and {unanswered} "
            f"were not answered: {told}. Run the command again when the broker is up: it goes on where it stopped"
        )
        self.acknowledged = acknowledged
        self.failed = failed
        self.unanswered = unanswered


@dataclass(frozen=True)
class Acknowledged:
    """How many messages the broker acknowledged, by topic."""

    by_topic: Mapping[str, int]

    @property
    def total(self) -> int:
        return sum(self.by_topic.values())


class EventProducer:
    """An idempotent producer that knows at every flush that each message it was given is on the broker.

    Only failures are reported message by message; with none of them and an empty queue, every message is
    acknowledged, so counting needs no callback per message. A full queue blocks (backpressure).
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._timeout_s = settings.kafka.delivery_timeout_s
        self._sent: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()
        self._causes: Counter[str] = Counter()
        options = {**OPTIONS, "message.timeout.ms": int(self._timeout_s * 1000), "on_delivery": self._on_failure}
        self._producer = Producer(client_config(settings, **options))
        connect = partial(self._producer.list_topics, timeout=min(self._timeout_s, CONNECT_S))
        metadata = ask(settings, "connecting the producer", connect)
        self.cluster_id = str(metadata.cluster_id)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if kind is None:
            self.flush()
        else:
            self._producer.purge()

    def send(self, topic: str, outgoing: Iterable[Outgoing], on_rejected: OnRejected | None = None) -> None:
        """Queue events and raw messages for ``topic``, in order.

        An event that the lake would refuse is not sent: it goes to ``on_rejected``, and those after it are sent.

        Raises:
            ContractViolationError: an event breaks the contract and there is no ``on_rejected``.
            NotAcknowledgedError: the queue stayed full, or a message failed for good.
            BrokerRefusedError: the broker refuses messages, for example for lack of permission.
        """
        encode, queue = checker(topic).encode, self._queue
        count = 0
        for item in outgoing:
            message = item if isinstance(item, RawMessage) else encode(item)
            if isinstance(message, Rejection):
                _reject(item, topic, message, on_rejected)
                continue
            headers = message.headers if isinstance(message, RawMessage) else ()
            try:
                queue(topic, message.value, message.key, headers)
            except MessageTooLargeError as error:
                _reject(item, topic, Rejection(Reason.UNREPRESENTABLE, f": {error}"), on_rejected)
                continue
            count += 1
            if not count % POLL_EVERY:
                self._poll(topic, POLL_EVERY)
        self._poll(topic, count % POLL_EVERY)

    def flush(self) -> Acknowledged:
        """Wait until the broker acknowledged everything queued so far; the counts since this producer was made.

        Raises:
            NotAcknowledgedError: a message failed, or was not answered within ``kafka.delivery_timeout_s``.
        """
        unanswered = self._producer.flush(self._timeout_s + 5.0)
        if unanswered or self._failed:
            raise self._not_acknowledged(unanswered)
        return Acknowledged(dict(self._sent))

    def _queue(self, topic: str, value: bytes, key: bytes | None, headers: Headers) -> None:
        try:
            self._producer.produce(topic, value, key, headers=list(headers))
        except BufferError:
            self._queue_when_free(topic, value, key, headers)
        except KafkaException as error:
            if error.args[0].code() == KafkaError.MSG_SIZE_TOO_LARGE:
                raise MessageTooLargeError(len(value)) from error
            raise broker_error(self._settings, f"sending to {topic}", error) from error

    def _queue_when_free(self, topic: str, value: bytes, key: bytes | None, headers: Headers) -> None:
        deadline = monotonic() + self._timeout_s
        while monotonic() < deadline:
            self._producer.poll(0.05)
            try:
                self._producer.produce(topic, value, key, headers=list(headers))
            except BufferError:
                continue
            return
        raise self._not_acknowledged(len(self._producer))

    def _poll(self, topic: str, queued: int) -> None:
        self._sent[topic] += queued
        self._producer.poll(0)
        if self._failed:
            raise self._not_acknowledged(len(self._producer))

    def _on_failure(self, error: KafkaError | None, message: DeliveryReport) -> None:
        if error is not None:
            self._failed[str(message.topic())] += 1
            self._causes[error.str()] += 1

    def _not_acknowledged(self, unanswered: int) -> NotAcknowledgedError:
        failed = self._failed.total()
        acknowledged = self._sent.total() - failed - unanswered
        return NotAcknowledgedError(
            self._settings.kafka.bootstrap_servers, max(acknowledged, 0), failed, unanswered, self._causes
        )


def _reject(event: Any, topic: str, rejection: Rejection, on_rejected: OnRejected | None) -> None:
    if on_rejected is not None:
        on_rejected(event, topic, rejection)
        return
    raise ContractViolationError(f"{topic}: event {_name(event)} is {rejection.reason} at {rejection.detail}")


def _name(event: Any) -> str:
    """The id of an event, or its type where it has no id that can be read, which may be why it is rejected."""
    try:
        return str(event["id"])
    except Exception:  # noqa: BLE001 - what anybody wrote may raise anything
        return type(event).__name__
