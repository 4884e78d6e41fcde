"""When messages were sent that the broker removed: between the ones before and after them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from data_lake.tables import FIRST_GENERATION
from data_lake.topic_starts.bronze_ends import last_messages
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
    history = starts(settings, topic)
    last = last_messages(settings, topic, history[-1].generation if history else FIRST_GENERATION)
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


def _first_time(reader: RangeReader, partition: int, low: int, end: int) -> datetime | None:
    for message in reader.messages(partition, low, end):
        return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=message.timestamp()[1])
    return None
