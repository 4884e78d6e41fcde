"""What a reconciliation found: counts, and for each breach how many rows and which."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


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
    """One partition: the broker's offsets [low, high), and bronze's rows below high."""

    low: int
    high: int
    bronze_rows: int
    bronze_first: int | None
    bronze_last: int | None


@dataclass(frozen=True)
class TopicReport:
    """One topic: what each table holds below the broker's end offsets, and what is wrong."""

    topic: str
    bronze_rows: int
    quarantine_rows: int
    quarantine_by_reason: Mapping[str, int]
    valid_rows: int
    valid_keys: int
    duplicate_rows: int
    silver_rows: int
    partitions: Mapping[int, PartitionReport]
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
