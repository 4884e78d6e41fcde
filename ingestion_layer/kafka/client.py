"""How every Kafka client of this project connects and asks, and what it says when the broker is away."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

from confluent_kafka import KafkaError, KafkaException

from tidemill.config.errors import TerminalError, TransientError
from tidemill.config.settings import Settings

T = TypeVar("T")
PATIENCE_S = 10.0
PAUSE_S = 0.2
FETCH_SESSION_TOPIC_ID_ERROR = 106
"""librdkafka has no name for it."""


class BrokerUnavailableError(TransientError):
    """No broker answered in time, or the one that did is not ready."""


class BrokerRefusedError(TerminalError):
    """The broker answered and said no (authorisation, an invalid configuration, ...)."""


def client_config(settings: Settings, **options: Any) -> dict[str, Any]:
    """librdkafka's configuration for ``settings``; ``settings.kafka.client`` wins over ``options``.

    librdkafka writes nothing to stderr by itself: what goes wrong reaches the caller as an error.
    """
    own = {
        "bootstrap.servers": settings.kafka.bootstrap_servers,
        "log_level": 0,
        # A new client waits half of this before it connects to the broker that it has just heard of.
        "reconnect.backoff.ms": 20,
    }
    return {**own, **options, **settings.kafka.client}


def broker_error(settings: Settings, doing: str, error: KafkaException | KafkaError) -> TransientError | TerminalError:
    """The error of ours for ``error``, which happened while ``doing`` something: transient when a retry may help."""
    cause = error.args[0] if isinstance(error, KafkaException) else error
    servers = settings.kafka.bootstrap_servers
    if _is_not_ready(cause):
        return BrokerUnavailableError(f"{doing}: the Kafka broker at {servers} is not ready ({cause}); try again")
    if not isinstance(cause, KafkaError) or cause.code() < 0:
        return BrokerUnavailableError(f"{doing}: no Kafka broker at {servers} answered ({cause}); is it up?")
    return BrokerRefusedError(f"{doing}: the Kafka broker at {servers} refused: {cause}")


def ask(settings: Settings, doing: str, question: Callable[[], T], *, patience_s: float | None = None) -> T:
    """What ``question`` returns, put again while the broker answers that it is not ready, for some seconds by default.

    Raises:
        BrokerUnavailableError: no broker answered in time, or it was not ready all the while.
        BrokerRefusedError: the broker said no.
    """
    deadline = time.monotonic() + (PATIENCE_S if patience_s is None else patience_s)
    while True:
        try:
            return question()
        except KafkaException as error:
            if not _is_not_ready(error.args[0]) or time.monotonic() >= deadline:
                raise broker_error(settings, doing, error) from error
        time.sleep(PAUSE_S)


def _is_not_ready(cause: object) -> bool:
    return isinstance(cause, KafkaError) and (cause.retriable() or cause.code() in _NOT_READY)


_NOT_READY = frozenset(
    {
        # Those that Kafka's protocol guide calls retriable, under librdkafka's names.
        KafkaError.INVALID_MSG,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError.REPLICA_NOT_AVAILABLE,
        KafkaError.NETWORK_EXCEPTION,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.NOT_COORDINATOR,
        KafkaError.NOT_ENOUGH_REPLICAS,
        KafkaError.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
        KafkaError.NOT_CONTROLLER,
        KafkaError.CONCURRENT_TRANSACTIONS,
        KafkaError.KAFKA_STORAGE_ERROR,
        KafkaError.FETCH_SESSION_ID_NOT_FOUND,
        KafkaError.INVALID_FETCH_SESSION_EPOCH,
        KafkaError.LISTENER_NOT_FOUND,
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.UNKNOWN_LEADER_EPOCH,
        KafkaError.OFFSET_NOT_AVAILABLE,
        KafkaError.PREFERRED_LEADER_NOT_AVAILABLE,
        KafkaError.ELIGIBLE_LEADERS_NOT_AVAILABLE,
        KafkaError.ELECTION_NOT_NEEDED,
        KafkaError.UNSTABLE_OFFSET_COMMIT,
        KafkaError.THROTTLING_QUOTA_EXCEEDED,
        KafkaError.UNKNOWN_TOPIC_ID,
        KafkaError.INCONSISTENT_TOPIC_ID,
        FETCH_SESSION_TOPIC_ID_ERROR,
        KafkaError.SHARE_SESSION_NOT_FOUND,
        KafkaError.INVALID_SHARE_SESSION_EPOCH,
        KafkaError.SHARE_SESSION_LIMIT_REACHED,
        # What brokers say besides while others are starting, and librdkafka of what they do not know yet.
        KafkaError.BROKER_NOT_AVAILABLE,
        KafkaError.INVALID_REPLICATION_FACTOR,
        KafkaError._UNKNOWN_TOPIC,
        KafkaError._UNKNOWN_PARTITION,
        KafkaError._WAIT_COORD,
        KafkaError._WAIT_CACHE,
        KafkaError._NOENT,  # the partitions of a topic just made have no leader yet
    }
)
