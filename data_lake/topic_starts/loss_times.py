"""When messages were sent that the broker removed: between the ones before and after them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from data_lake.tables import FIRST_GENERATION
from data_lake.topic_starts.bronze_ends import LastMessage, last_messages
from data_lake.topic_starts.loss import Range
from data_lake.topic_starts.record import starts
from ingestion_layer.kafka.offsets import topic_offsets
from ingestion_layer.kafka.reading import RangeReader, range_reader
from tidemill.config.settings import Settings


@dataclass(frozen=True)
class TimedLoss:
    """A lost range, with the broker's time of the messages before and after it; None where there is none."""

    lost: Range
    after: datetime | None
    before: datetime | None

    def __str__(self) -> str:
        after = f"after {self.after:%Y-%m-%d %H:%M:%S}" if self.after else "from the topic's beginning"
        before = f"before {self.before:%Y-%m-%d %H:%M:%S}" if self.before else "up to now"
        return f"{self.lost}, sent {after}, {before} (UTC)"


def timed(settings: Settings, topic: str, lost: tuple[Range, ...]) -> tuple[TimedLoss, ...]:
    """``lost`` with the times that are known: of bronze's last message and of the broker's first."""
    last = _last_read(settings, topic, lost)
    offsets = topic_offsets(settings, topic)
    with range_reader(settings, topic) as reader:
        return tuple(
            TimedLoss(
                of,
                last[of.partition].broker_time if of.partition in last else None,
                _first_time(reader, of.partition, offsets[of.partition].low, offsets[of.partition].end),
            )
            for of in lost
        )


def _last_read(settings: Settings, topic: str, lost: tuple[Range, ...]) -> dict[int, LastMessage]:
    """Bronze's last messages of the partitions of ``lost``, but those of which nothing had been read."""
    history = starts(settings, topic)
    generation = history[-1].generation if history else FIRST_GENERATION
    begun = next((start.offsets for start in history if start.generation == generation), {})
    read = [of.partition for of in lost if of.first > begun.get(of.partition, 0)]
    return last_messages(settings, topic, generation, read)


def _first_time(reader: RangeReader, partition: int, low: int, end: int) -> datetime | None:
    for message in reader.messages(partition, low, end):
        return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=message.timestamp()[1])
    return None
