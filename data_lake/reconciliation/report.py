"""What a reconciliation found: counts, and for each breach how many rows and which."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ingestion_layer.kafka.open_transactions import OpenTransaction


@dataclass(frozen=True)
class Finding:
    """One way in which the equation does not hold: ``count`` rows, named by ``sample`` as far as it goes."""

    problem: str
    count: int
    sample: tuple[str, ...]
    sample_is_complete: bool = True

    def __str__(self) -> str:
        more = "" if self.sample_is_complete else ", ..."
        return f"{self.problem}: {self.count} ({', '.join(self.sample)}{more})"


@dataclass(frozen=True)
class PartitionReport:
    """One partition: the offsets that a reader at the broker sees, [low, high), and bronze's rows below high."""

    low: int
    high: int
    bronze_rows: int
    bronze_first: int | None
    bronze_last: int | None


@dataclass(frozen=True)
class AcceptedLoss:
    """Offsets that nobody will ever read, by a decision that is on record; ``messages`` of them are not in bronze."""

    generation: int
    partition: int
    first: int
    last: int
    messages: int

    def __str__(self) -> str:
        return f"accepted loss: partition {self.partition} offsets {self.first} to {self.last} ({self.messages:,})"


@dataclass(frozen=True)
class TopicReport:
    """One topic: what each table holds below the broker's end offsets, and what is wrong.

    ``partitions`` are those of the topic's present generation. Of ``ended_generations`` (rows in bronze, by number)
    the broker no longer has anything: they are judged by what was counted when they ended. ``waiting`` messages are
    beyond the end that a reader sees: nobody has them yet.
    """

    topic: str
    bronze_rows: int
    quarantine_rows: int
    quarantine_by_reason: Mapping[str, int]
    valid_rows: int
    valid_keys: int
    duplicate_rows: int
    silver_rows: int
    partitions: Mapping[int, PartitionReport]
    ended_generations: Mapping[int, int]
    accepted_loss: tuple[AcceptedLoss, ...]
    waiting: tuple[OpenTransaction, ...]
    findings: tuple[Finding, ...]

    @property
    def holds(self) -> bool:
        return not self.findings


@dataclass(frozen=True)
class Report:
    """The reconciliation of several topics."""

    topics: Mapping[str, TopicReport]

    @property
    def holds(self) -> bool:
        return all(topic.holds for topic in self.topics.values())

    def as_json(self) -> dict[str, Any]:
        """The report as JSON values."""
        topics = {name: {"holds": topic.holds, **asdict(topic)} for name, topic in self.topics.items()}
        return {"holds": self.holds, "topics": topics}
