"""From where on bronze reads a topic: where it was, or, by a decision of somebody, from somewhere else."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from data_lake.tables import FIRST_GENERATION
from data_lake.topic_starts.bronze_ends import LastMessage, extents, last_messages
from data_lake.topic_starts.loss import OffsetsGoneError, Range, lost_ranges
from data_lake.topic_starts.positions import positions
from data_lake.topic_starts.record import TopicStart, append, starts
from data_lake.topic_starts.verify import OtherTopicError, earlier_end, other_identity, other_message
from ingestion_layer.kafka.identity import TopicIdentity, topic_identity
from ingestion_layer.kafka.offsets import Offsets, topic_offsets
from tidemill.config.errors import TerminalError
from tidemill.config.settings import Settings

STREAM = "the stream"


class SameTopicError(TerminalError):
    """The topic is the one that bronze has read: there is no new generation."""

    def __init__(self, topic: str) -> None:
        super().__init__(f"{topic} at the broker is the topic that bronze has read: there is nothing to begin anew")


class NothingLostError(TerminalError):
    """The broker has everything that is still to be read."""


@dataclass(frozen=True)
class Situation:
    """A topic at the broker and in bronze; ``start`` is None before the first one.

    ``last`` are the messages that bronze ends with, ``noted`` the offset up to which each partition has been read.
    """

    topic: str
    start: TopicStart | None
    identity: TopicIdentity
    offsets: Mapping[int, Offsets]
    last: Mapping[int, LastMessage]
    noted: Mapping[int, int]

    @property
    def generation(self) -> int:
        return self.start.generation if self.start else FIRST_GENERATION

    @property
    def position(self) -> dict[int, int]:
        """The next offset to read of each partition."""
        return {partition: self._position(partition) for partition in self.offsets}

    def _position(self, partition: int) -> int:
        read = self.last[partition].offset + 1 if partition in self.last else 0
        noted = self.noted.get(partition, 0)
        if self.start is not None:
            return max(read, noted, self.start.offsets.get(partition, 0))
        return max(read, noted) or self.offsets[partition].low


def resume(settings: Settings, topic: str) -> tuple[TopicStart, Mapping[int, int]]:
    """The start that bronze goes on with, put on record if it is a new one, and the next offset of each partition.

    Raises:
        OtherTopicError: the broker's topic is another one.
        OffsetsGoneError: the broker removed what was not read yet.
        MissingTopicError: there is no such topic.
        BrokerUnavailableError: no broker answered.
    """
    now = situation(settings, topic)
    other = _difference(settings, now)
    if other is not None:
        raise OtherTopicError(topic, other, now.generation)
    start = now.start or _first(settings, now)
    lost = lost_ranges(now.position, now.offsets)
    if lost:
        raise OffsetsGoneError(topic, lost)
    return start, now.position


def new_generation(settings: Settings, topic: str, who: str) -> TopicStart:
    """Read the topic that the broker has now from its beginning, as another generation than what bronze has read.

    Raises:
        SameTopicError: it is the topic that bronze has read.
    """
    now = situation(settings, topic)
    other = _difference(settings, now)
    if other is None:
        raise SameTopicError(topic)
    ended = extents(settings, topic, now.generation)
    before = now.start or TopicStart(topic, 1, now.generation, now.identity, {}, "", STREAM, datetime.now(UTC))
    start = replace(
        _next(before, {partition: of.low for partition, of in now.offsets.items()}, other, who),
        generation=now.generation + 1,
        identity=now.identity,
        ended_offsets={partition: extent.last + 1 for partition, extent in ended.items()},
        ended_rows={partition: extent.rows for partition, extent in ended.items()},
    )
    append(settings, start)
    return start


def compare(settings: Settings, topic: str) -> str | None:
    """In what the broker's topic is not the one that bronze has read; None when it is that one."""
    return _difference(settings, situation(settings, topic))


def losses(settings: Settings, topic: str) -> tuple[Range, ...]:
    """What the broker removed before it was read.

    Raises:
        OtherTopicError: the broker's topic is another one.
        NothingLostError: there is no such loss.
    """
    return _losses(settings, situation(settings, topic))


def accept_loss(settings: Settings, topic: str, who: str) -> TopicStart:
    """Give up what the broker removed before it was read: bronze goes on after it.

    Raises:
        OtherTopicError: the broker's topic is another one.
        NothingLostError: there is no such loss.
    """
    now = situation(settings, topic)
    lost = _losses(settings, now)
    position = {partition: max(offset, now.offsets[partition].low) for partition, offset in now.position.items()}
    reason = "messages that the broker removed before they were read were given up"
    start = replace(_next(now.start or _first(settings, now), position, reason, who), lost=lost)
    append(settings, start)
    return start


def situation(settings: Settings, topic: str) -> Situation:
    """How ``topic`` stands now."""
    history = starts(settings, topic)
    start = history[-1] if history else None
    generation = start.generation if start else FIRST_GENERATION
    offsets = topic_offsets(settings, topic)
    noted = positions(settings, topic, start, offsets)
    # What the broker never had a message of, and bronze has no position of: nobody has to look for its last message.
    partitions = [partition for partition, of in offsets.items() if of.end or partition in noted] if noted else None
    last = last_messages(settings, topic, generation, partitions)
    return Situation(topic, start, topic_identity(settings, topic), offsets, last, noted)


def _difference(settings: Settings, now: Situation) -> str | None:
    read = {partition: message.offset + 1 for partition, message in now.last.items()}
    return (
        (other_identity(now.start.identity, now.identity) if now.start else None)
        or earlier_end(now.offsets, read)
        or earlier_end(now.offsets, now.noted)
        or other_message(settings, now.topic, now.offsets, now.last)
    )


def _losses(settings: Settings, now: Situation) -> tuple[Range, ...]:
    other = _difference(settings, now)
    if other is not None:
        raise OtherTopicError(now.topic, other, now.generation)
    lost = lost_ranges(now.position, now.offsets)
    if not lost:
        raise NothingLostError(f"{now.topic}: the broker has everything that bronze has not read yet")
    return lost


def _first(settings: Settings, now: Situation) -> TopicStart:
    """The first start on record: of an empty bronze from the broker's beginning, else where bronze begins."""
    begun = {partition: extent.first for partition, extent in extents(settings, now.topic, now.generation).items()}
    offsets = {partition: begun.get(partition, of.low) for partition, of in now.offsets.items()}
    reason = "bronze had been read before starts were recorded" if begun else "the first"
    start = TopicStart(now.topic, 1, now.generation, now.identity, offsets, reason, STREAM, datetime.now(UTC))
    append(settings, start)
    return start


def _next(before: TopicStart, offsets: Mapping[int, int], reason: str, who: str) -> TopicStart:
    return TopicStart(
        topic=before.topic,
        start=before.start + 1,
        generation=before.generation,
        identity=before.identity,
        offsets=dict(offsets),
        reason=reason,
        started_by=who,
        started_at=datetime.now(UTC),
    )
