"""Messages that wait behind a transaction which is neither committed nor aborted."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ingestion_layer.kafka.offsets import Offsets, topic_offsets
from tidemill.config.settings import Settings


@dataclass(frozen=True)
class OpenTransaction:
    """``messages`` of ``partition``, from ``first_offset`` on, that no reader gets before the transaction ends."""

    topic: str
    partition: int
    first_offset: int
    messages: int

    def __str__(self) -> str:
        return (
            f"{self.topic} partition {self.partition}: {self.messages:,} messages from offset {self.first_offset} on"
            " wait behind an open transaction"
        )

    def as_json(self) -> dict[str, Any]:
        """Its fields."""
        return asdict(self)


def open_transactions(settings: Settings, topics: Sequence[str]) -> tuple[OpenTransaction, ...]:
    """What waits in each partition of ``topics``; nothing when ``stream.isolation`` is read_uncommitted.

    Raises:
        BrokerUnavailableError: no broker answered in time.
        MissingTopicError: there is no such topic.
    """
    return tuple(waiting for topic in topics for waiting in waiting_in(topic, topic_offsets(settings, topic)))


def waiting_in(topic: str, offsets: Mapping[int, Offsets]) -> tuple[OpenTransaction, ...]:
    """What waits in ``topic``, whose partitions have ``offsets``."""
    return tuple(
        OpenTransaction(topic, partition, of.end, of.high - of.end)
        for partition, of in offsets.items()
        if of.end < of.high
    )
