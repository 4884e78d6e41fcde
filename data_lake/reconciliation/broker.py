"""The broker's side of the equation: the offsets of each partition."""

from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaException, TopicPartition

from config.errors import TerminalError
from config.settings import Settings
from ingestion_layer.kafka.client import broker_error, client_config

TIMEOUT_S = 15.0


class MissingTopicError(TerminalError):
    """The broker has no such topic."""


@dataclass(frozen=True)
class Offsets:
    """A partition's messages are those at ``low`` and up, below ``high``."""

    low: int
    high: int


def broker_offsets(settings: Settings, topic: str) -> dict[int, Offsets]:
    """The offsets that the broker has of ``topic``, by partition.

    Raises:
        BrokerUnavailableError: no broker answered in time.
        MissingTopicError: there is no such topic.
    """
    consumer = Consumer(client_config(settings, **{"group.id": "tidemill-reconcile", "enable.auto.commit": False}))
    try:
        return {partition: _watermarks(consumer, topic, partition) for partition in _partitions(consumer, topic)}
    except KafkaException as error:
        raise broker_error(settings, f"reading the offsets of {topic}", error) from error
    finally:
        consumer.close()


def _partitions(consumer: Consumer, topic: str) -> list[int]:
    metadata = consumer.list_topics(topic, timeout=TIMEOUT_S).topics[topic]
    if metadata.error is not None:
        raise MissingTopicError(f"the broker has no topic {topic} ({metadata.error}): run `tidemill topics create`")
    return sorted(metadata.partitions)


def _watermarks(consumer: Consumer, topic: str, partition: int) -> Offsets:
    low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=TIMEOUT_S)
    return Offsets(low, high)
