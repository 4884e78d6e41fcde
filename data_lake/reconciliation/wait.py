"""Waiting for a stream to catch up: the ends of the topics are taken once, and the lake is judged up to there."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from data_lake import tables
from data_lake.delta_rs import MissingTableError, open_table
from data_lake.reconciliation.reconcile import reconcile_topic
from data_lake.reconciliation.report import Report
from data_lake.table import Table
from data_lake.tables import FIRST_GENERATION
from data_lake.topic_starts import starts
from data_lake.topic_starts.bronze_ends import last_offsets
from ingestion_layer.kafka.offsets import Offsets, topic_offsets
from ingestion_layer.kafka.reading import range_reader
from tidemill.config.settings import Settings

POLL_S = 2.0


@dataclass(frozen=True)
class Goal:
    """A topic as the broker has it when the waiting begins; ``last`` are the offsets of the last messages."""

    topic: str
    offsets: Mapping[int, Offsets]
    last: Mapping[int, int]

    def read(self, bronze: Mapping[int, int]) -> int:
        """How many of the offsets bronze has come past, whose last messages are at ``bronze``."""
        return sum(self._read(partition, bronze.get(partition, -1)) for partition in self.offsets)

    def _read(self, partition: int, bronze: int) -> int:
        of = self.offsets[partition]
        if bronze >= self.last.get(partition, -1):
            return of.end - of.low
        return max(0, bronze + 1 - of.low)

    @property
    def messages(self) -> int:
        return sum(of.end - of.low for of in self.offsets.values())


@dataclass(frozen=True)
class Position:
    """Where a topic stands on its way to ``goal``; -1 is the version of a table that is not there yet."""

    goal: Goal
    read: int
    versions: tuple[int, ...]

    @property
    def is_there(self) -> bool:
        return self.read >= self.goal.messages and -1 not in self.versions

    def __str__(self) -> str:
        return f"{self.goal.topic}: {self.read:,} of {self.goal.messages:,} messages in bronze"


def wait_until_it_holds(
    settings: Settings, topics: Sequence[str], seconds: float, progress: Callable[[str], None]
) -> Report:
    """The first report that holds of what the broker had when this was called, or the last when ``seconds`` are over.

    ``progress`` is told where each topic stands, whenever that changes. No more than half of the time is spent judging.
    """
    deadline = time.monotonic() + seconds
    goals = [goal(settings, topic) for topic in topics]
    told: set[str] = set()
    judged: list[Position] = []
    judge_at = 0.0
    while time.monotonic() < deadline:
        now = [position(settings, goal) for goal in goals]
        for line in sorted({str(position) for position in now} - told):
            progress(line)
        told = {str(position) for position in now}
        if now != judged and time.monotonic() >= judge_at and all(position.is_there for position in now):
            began = time.monotonic()
            report = _judge(settings, goals)
            if report.holds:
                return report
            judged, judge_at = now, 2 * time.monotonic() - began
        time.sleep(min(POLL_S, max(0.0, deadline - time.monotonic())))
    return _judge(settings, goals)


def goal(settings: Settings, topic: str) -> Goal:
    """What the broker has of ``topic`` now."""
    offsets = topic_offsets(settings, topic)
    with range_reader(settings, topic) as reader:
        last = {partition: reader.last(partition, of.low, of.end) for partition, of in offsets.items()}
    return Goal(topic, offsets, {partition: message.offset() for partition, message in last.items() if message})


def position(settings: Settings, goal: Goal) -> Position:
    """Where the topic of ``goal`` stands now, from the tables."""
    history = starts(settings, goal.topic)
    generation = history[-1].generation if history else FIRST_GENERATION
    bronze = last_offsets(settings, goal.topic, generation, goal.last.keys())
    of_topic = (tables.bronze(goal.topic), tables.silver(goal.topic), tables.quarantine(goal.topic))
    return Position(goal, goal.read(bronze), tuple(_version(settings, table) for table in of_topic))


def _judge(settings: Settings, goals: Sequence[Goal]) -> Report:
    return Report({goal.topic: reconcile_topic(settings, goal.topic, goal.offsets) for goal in goals})


def _version(settings: Settings, table: Table) -> int:
    try:
        return int(open_table(table, settings).version())
    except MissingTableError:
        return -1
