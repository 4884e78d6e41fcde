"""Waiting for a stream to catch up: reconcile again whenever the broker or a table has moved."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from config.settings import Settings
from data_lake import tables
from data_lake.delta_rs import MissingTableError, open_table, statistics
from data_lake.reconciliation.reconcile import reconcile
from data_lake.reconciliation.report import Report
from ingestion_layer.kafka.offsets import topic_offsets

POLL_S = 2.0


@dataclass(frozen=True)
class Position:
    """Where a topic stands: the broker's end, and the version and rows of each of its tables (-1: not there yet)."""

    topic: str
    messages: int
    versions: tuple[int, ...]
    bronze_rows: int

    def __str__(self) -> str:
        return f"{self.topic}: {self.bronze_rows:,} of {self.messages:,} messages in bronze"


def wait_until_it_holds(
    settings: Settings, topics: Sequence[str], seconds: float, progress: Callable[[str], None]
) -> Report:
    """The first report that holds while nothing moves, or the one made when ``seconds`` are over.

    ``progress`` is told where each topic stands, whenever that changes.
    """
    deadline = time.monotonic() + seconds
    before: tuple[Position, ...] = ()
    judged: tuple[Position, ...] = ()
    while time.monotonic() < deadline:
        now = tuple(position(settings, topic) for topic in topics)
        for line in sorted({str(one) for one in now} - {str(one) for one in before}):
            progress(line)
        if now == before and now != judged and _caught_up(now):
            report, judged = reconcile(settings, topics), now
            still = tuple(position(settings, topic) for topic in topics) == now
            if report.holds and still:
                return report
        before = now
        time.sleep(min(POLL_S, max(0.0, deadline - time.monotonic())))
    return reconcile(settings, topics)


def position(settings: Settings, topic: str) -> Position:
    """Where ``topic`` stands now, from the broker's offsets and the tables' logs."""
    offsets = topic_offsets(settings, topic)
    of_topic = (tables.bronze(topic), tables.silver(topic), tables.quarantine(topic))
    found = [_version_and_rows(settings, table) for table in of_topic]
    return Position(
        topic,
        sum(one.end - one.low for one in offsets.values()),
        tuple(version for version, _ in found),
        found[0][1],
    )


def _version_and_rows(settings: Settings, table: tables.Table) -> tuple[int, int]:
    try:
        delta = open_table(table, settings)
    except MissingTableError:
        return -1, 0
    return delta.version(), statistics(table, delta, settings).rows


def _caught_up(positions: tuple[Position, ...]) -> bool:
    return all(one.bronze_rows >= one.messages and -1 not in one.versions for one in positions)
