"""The table ``control/topic_starts``: each start of bronze on a topic, appended once and never changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import write_deltalake

from data_lake import own_tables
from data_lake.arrow import dataset
from data_lake.delta_rs import MissingTableError, location, open_table
from data_lake.topic_starts.loss import Range
from ingestion_layer.kafka.identity import TopicIdentity
from tidemill.config.settings import Settings

_BY_PARTITION = pa.map_(pa.int32(), pa.int64())
_RANGES = pa.list_(pa.struct([("partition", pa.int32()), ("first", pa.int64()), ("last", pa.int64())]))
SCHEMA = pa.schema(
    [
        pa.field("topic", pa.string(), nullable=False),
        pa.field("start", pa.int32(), nullable=False),
        pa.field("generation", pa.int32(), nullable=False),
        pa.field("cluster_id", pa.string(), nullable=False),
        pa.field("topic_id", pa.string(), nullable=False),
        pa.field("offsets", _BY_PARTITION, nullable=False),
        pa.field("lost", _RANGES, nullable=False),
        pa.field("ended_offsets", _BY_PARTITION, nullable=False),
        pa.field("ended_rows", _BY_PARTITION, nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("started_by", pa.string(), nullable=False),
        pa.field("started_at", pa.timestamp("us", "UTC"), nullable=False),
    ]
)


@dataclass(frozen=True)
class TopicStart:
    """One start: which topic, from which offsets on.

    ``offsets`` are those of the first message to read, by partition; a partition that is not there begins at 0.
    ``lost`` are the ranges that this start gave up. The first start of a generation says of the one before where it
    ended in bronze (``ended_offsets``, after the last message) and with how many rows (``ended_rows``).
    """

    topic: str
    start: int
    generation: int
    identity: TopicIdentity
    offsets: Mapping[int, int]
    reason: str
    started_by: str
    started_at: datetime
    lost: tuple[Range, ...] = ()
    ended_offsets: Mapping[int, int] = field(default_factory=dict)
    ended_rows: Mapping[int, int] = field(default_factory=dict)

    @property
    def checkpoint(self) -> str:
        """Where Spark kept the progress of this start, below all checkpoints, before bronze itself noted it."""
        return f"bronze/{self.topic}" + (f"@{self.start}" if self.start > 1 else "")

    def as_json(self) -> dict[str, Any]:
        """The start as JSON values."""
        return {
            "topic": self.topic,
            "start": self.start,
            "generation": self.generation,
            "cluster_id": self.identity.cluster_id,
            "topic_id": self.identity.topic_id,
            "offsets": dict(self.offsets),
            "lost": [{"partition": lost.partition, "first": lost.first, "last": lost.last} for lost in self.lost],
            "reason": self.reason,
            "started_by": self.started_by,
            "started_at": self.started_at.isoformat(),
        }


def starts(settings: Settings, topic: str) -> tuple[TopicStart, ...]:
    """The starts on ``topic``, oldest first; none before bronze was first read, or of a lake of before the record."""
    try:
        record = open_table(own_tables.TOPIC_STARTS, settings)
    except MissingTableError:
        return ()
    rows = dataset(record).to_table(filter=pc.field("topic") == topic).to_pylist(maps_as_pydicts="strict")
    return tuple(sorted((_start(row) for row in rows), key=lambda start: start.start))


def append(settings: Settings, start: TopicStart) -> None:
    """Put ``start`` on record."""
    row = {
        "topic": start.topic,
        "start": start.start,
        "generation": start.generation,
        "cluster_id": start.identity.cluster_id,
        "topic_id": start.identity.topic_id,
        "offsets": _pairs(start.offsets),
        "lost": [{"partition": lost.partition, "first": lost.first, "last": lost.last} for lost in start.lost],
        "ended_offsets": _pairs(start.ended_offsets),
        "ended_rows": _pairs(start.ended_rows),
        "reason": start.reason,
        "started_by": start.started_by,
        "started_at": start.started_at,
    }
    write_deltalake(
        location(own_tables.TOPIC_STARTS, settings),
        pa.Table.from_pylist([row], schema=SCHEMA),
        mode="append",
        description=own_tables.TOPIC_STARTS.description,
        storage_options=settings.lake.storage_options or None,
    )


def _pairs(by_partition: Mapping[int, int]) -> Sequence[tuple[int, int]]:
    return sorted(by_partition.items())


def _start(row: Mapping[str, Any]) -> TopicStart:
    return TopicStart(
        topic=row["topic"],
        start=row["start"],
        generation=row["generation"],
        identity=TopicIdentity(row["cluster_id"], row["topic_id"]),
        offsets=row["offsets"],
        reason=row["reason"],
        started_by=row["started_by"],
        started_at=row["started_at"],
        lost=tuple(Range(**lost) for lost in row["lost"]),
        ended_offsets=row["ended_offsets"],
        ended_rows=row["ended_rows"],
    )
