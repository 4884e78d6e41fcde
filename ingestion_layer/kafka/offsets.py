"""Where the messages of a topic's partitions begin and end at the broker."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec, TopicMetadata

from ingestion_layer.kafka.client import ask, client_config
from tidemill.config.errors import TerminalError
from tidemill.config.settings import Settings

TIMEOUT_S = 15.0


class MissingTopicError(TerminalError):
    """The broker has no such topic."""


@dataclass(frozen=True)
class Offsets:
    """A partition's messages are those at ``low`` and up, below ``high``; a reader gets those below ``end``.

    ``end`` is before ``high`` while a transaction is open and ``stream.isolation`` is read_committed.
    """

    low: int
    end: int
    high: int


def topic_offsets(settings: Settings, topic: str) -> dict[int, Offsets]:
    """The offsets that the broker has of ``topic``, by partition.

    Raises:
        BrokerUnavailableError: no broker answered in time.
        MissingTopicError: there is no such topic.
    """
    admin = AdminClient(client_config(settings))
    return ask(settings, f"reading the offsets of {topic}", lambda: _offsets(admin, topic, isolation(settings)))


def topic_partitions(admin: AdminClient, topic: str) -> list[int]:
    """The numbers of the partitions of ``topic``.

    Raises:
        KafkaException: the broker does not answer, or not about this topic.
        MissingTopicError: there is no such topic.
    """
    metadata = admin.list_topics(topic, timeout=TIMEOUT_S).topics[topic]
    if not is_there(metadata):
        raise MissingTopicError(f"the broker has no topic {topic} ({metadata.error}): run `tidemill topics create`")
    return sorted(metadata.partitions)


def is_there(metadata: TopicMetadata) -> bool:
    """Whether the broker has the topic.

    Raises:
        KafkaException: it cannot or may not say; a topic without a leader is there.
    """
    if metadata.error is not None and metadata.error.code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
        raise KafkaException(metadata.error)
    return metadata.error is None


def isolation(settings: Settings) -> IsolationLevel:
    """``stream.isolation`` as librdkafka's constant."""
    return IsolationLevel[settings.stream.isolation.upper()]


def _offsets(admin: AdminClient, topic: str, level: IsolationLevel) -> dict[int, Offsets]:
    partitions = topic_partitions(admin, topic)
    # The end is asked for last: it is then not before what the broker had when the other two were.
    high = _listed(admin, topic, partitions, OffsetSpec.latest(), IsolationLevel.READ_UNCOMMITTED)
    low = _listed(admin, topic, partitions, OffsetSpec.earliest(), IsolationLevel.READ_UNCOMMITTED)
    end = _listed(admin, topic, partitions, OffsetSpec.latest(), level)
    return {number: Offsets(low[number], end[number], max(high[number], end[number])) for number in partitions}


def _listed(
    admin: AdminClient, topic: str, partitions: list[int], spec: OffsetSpec, level: IsolationLevel
) -> Mapping[int, int]:
    asked: dict[TopicPartition, Any] = {TopicPartition(topic, number): spec for number in partitions}
    answers = admin.list_offsets(asked, isolation_level=level, request_timeout=TIMEOUT_S)
    return {asked_for.partition: answer.result().offset for asked_for, answer in answers.items()}
