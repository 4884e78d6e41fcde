"""Whether the broker's topic is the one that bronze has read: by its ids, by its ends, and by a message of each.

A broker restored from an older copy ends before bronze does, or has other messages where bronze ends.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from confluent_kafka import Message

from data_lake.topic_starts.bronze_ends import LastMessage
from ingestion_layer.kafka.identity import TopicIdentity
from ingestion_layer.kafka.offsets import Offsets
from ingestion_layer.kafka.reading import range_reader
from tidemill.config.errors import TerminalError
from tidemill.config.settings import Settings


class OtherTopicError(TerminalError):
    """The broker's topic is not the one that bronze has read, though it has its name."""

    def __init__(self, topic: str, difference: str, generation: int) -> None:
        self.difference = difference
        super().__init__(
            f"{topic} at the broker is not the topic that bronze has read as generation {generation}: {difference}; if"
            f" it is right, `tidemill stream new-generation {topic}` reads it from its beginning as generation"
            f" {generation + 1}"
        )


def earlier_end(offsets: Mapping[int, Offsets], read: Mapping[int, int]) -> str | None:
    """Where the broker ends before what was read of it; None when it does not.

    ``read`` are the offsets after what was read, by partition.
    """
    for partition, end in read.items():
        if partition not in offsets:
            return f"bronze has messages of partition {partition}, which the broker does not have"
        if offsets[partition].high < end:
            there = offsets[partition].high
            return f"partition {partition} ends before offset {there}, bronze has read up to offset {end - 1}"
    return None


def other_identity(expected: TopicIdentity, there: TopicIdentity) -> str | None:
    """In what two identities differ; None when they do not."""
    return None if expected == there else f"bronze has read {expected}, the broker has {there}"


def other_message(
    settings: Settings, topic: str, offsets: Mapping[int, Offsets], last: Mapping[int, LastMessage]
) -> str | None:
    """Where the broker has another message than bronze at bronze's end; None when it has not."""
    with range_reader(settings, topic, "read_uncommitted") as reader:
        for partition, message in last.items():
            if message.offset < offsets[partition].low:
                continue  # retention removed it
            for there in reader.messages(partition, message.offset, message.offset + 1):
                if not _is_same(message, there):
                    return f"partition {partition} has another message at offset {message.offset} than bronze"
    return None


def _is_same(message: LastMessage, there: Message) -> bool:
    _, milliseconds = there.timestamp()
    time = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=milliseconds)
    return (message.broker_time, message.key, message.value) == (time, there.key(), there.value())
