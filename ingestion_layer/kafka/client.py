"""How every Kafka client of this project connects, and what it says when the broker is away."""

from typing import Any

from confluent_kafka import KafkaError, KafkaException

from config.errors import TerminalError, TransientError
from config.settings import Settings


class BrokerUnavailableError(TransientError):
    """No broker answered in time."""


class BrokerRefusedError(TerminalError):
    """The broker answered and said no (authorisation, an invalid configuration, ...)."""


def client_config(settings: Settings, **options: Any) -> dict[str, Any]:
    """librdkafka's configuration for ``settings``; ``settings.kafka.client`` wins over ``options``.

    librdkafka writes nothing to stderr by itself: what goes wrong reaches the caller as an error.
    """
    own = {"bootstrap.servers": settings.kafka.bootstrap_servers, "log_level": 0, "reconnect.backoff.ms": 250}
    return {**own, **options, **settings.kafka.client}


def broker_error(settings: Settings, doing: str, error: KafkaException | KafkaError) -> TransientError | TerminalError:
    """The error of ours for ``error``, which happened while ``doing`` something: transient when a retry may help."""
    cause = error.args[0] if isinstance(error, KafkaException) else error
    servers = settings.kafka.bootstrap_servers
    if not isinstance(cause, KafkaError) or cause.retriable() or cause.code() < 0 or cause.code() in _AWAY:
        return BrokerUnavailableError(f"{doing}: no Kafka broker at {servers} answered ({cause}); is it up?")
    return BrokerRefusedError(f"{doing}: the Kafka broker at {servers} refused: {cause}")


_AWAY = (
    KafkaError.REQUEST_TIMED_OUT,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.INVALID_REPLICATION_FACTOR,
)
