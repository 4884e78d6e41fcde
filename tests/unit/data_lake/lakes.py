"""A topic's broker and tables as a few rows in Python, and what the reconciliation says of them."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import duckdb

from data_lake.reconciliation.aborted import find_aborted
from data_lake.reconciliation.gaps import explain_gaps
from data_lake.reconciliation.index import SCHEMA
from data_lake.reconciliation.reconcile import evaluate
from data_lake.reconciliation.report import TopicReport

TIME = 1_714_521_600_000_000
Bronze = tuple[int, int, str | None, str | None]  # partition, offset, the reason when judged again, event id


@dataclass(frozen=True)
class Lake:
    """A topic's broker offsets and the rows of its three tables."""

    broker: dict[int, tuple[int, int]] = field(default_factory=lambda: {0: (0, 4), 1: (0, 2)})
    bronze: tuple[Bronze, ...] = (
        (0, 0, None, "a"),
        (0, 1, None, "b"),
        (0, 2, "schema", None),
        (0, 3, None, "a"),
        (1, 0, None, "c"),
        (1, 1, "time_out_of_range", "late"),
    )
    quarantine: tuple[tuple[int, int, str], ...] = ((0, 2, "schema"), (1, 1, "time_out_of_range"))
    silver: tuple[tuple[str, int, int], ...] = (("a", 0, 0), ("b", 0, 1), ("c", 1, 0))
    no_messages: frozenset[tuple[int, int]] = frozenset()  # partition, offset: markers, aborted, compacted away
    aborted: frozenset[tuple[int, int]] = frozenset()  # those of them that are aborted messages
    accepted: tuple[tuple[int, int, int], ...] = ()  # partition, first, last
    low_later: dict[int, int] = field(default_factory=dict)  # where the broker begins when the gaps were read
    first: dict[int, int] = field(default_factory=dict)  # where the record says that bronze begins
    other: frozenset[tuple[int, int]] = frozenset()  # partition, offset: of messages that say something else

    def content(self, partition: int, offset: int) -> str:
        return f"other at {partition}/{offset}" if (partition, offset) in self.other else "the same"

    def kept(self, event_id: str | None) -> list[tuple[int, int]]:
        """Where the events of that id in silver come from."""
        return [(partition, offset) for found, partition, offset in self.silver if found == event_id]

    def says_the_same(self, at: tuple[int, int], kept: tuple[int, int]) -> bool | None:
        """Whether two messages have one content; None when bronze does not have the second."""
        if all(row[:2] != kept for row in self.bronze):
            return None
        return self.content(*at) == self.content(*kept)

    def read_every(self, partition: int, first: int, end: int) -> Iterator[int]:
        """What a reader gets that takes aborted messages too."""
        low, high = self.broker[partition]
        assert low <= first < end <= high
        return (number for number in range(first, end) if (partition, number) not in self.no_messages - self.aborted)

    def read(self, partition: int, first: int, end: int) -> Iterator[int]:
        """What a reader gets of the broker; it may not be asked for what the broker no longer has."""
        low, high = self.broker[partition]
        assert low <= first < end <= high
        return (number for number in range(first, end) if (partition, number) not in self.no_messages)


def report(lake: Lake) -> TopicReport:
    connection = duckdb.connect()
    connection.execute(SCHEMA)
    filled: dict[str, list[tuple[object, ...]]] = {
        "broker": [(1, partition, lake.first.get(partition), *of) for partition, of in lake.broker.items()],
        "accepted": [(1, *lost) for lost in lake.accepted],
        "bronze_all": [
            (1, partition, offset, reason, event_id and "s", event_id, None if event_id is None else TIME, 0)
            for partition, offset, reason, event_id in lake.bronze
        ],
        "quarantine_all": [(1, *row) for row in lake.quarantine],
        "silver": [("s", event_id, TIME, 1, partition, offset, 0) for event_id, partition, offset in lake.silver],
        "said": [(1, partition, offset, lake.content(partition, offset)) for partition, offset, _, _ in lake.bronze],
    }
    for table, rows in filled.items():
        for row in rows:
            connection.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)  # noqa: S608
    explain_gaps(connection, lake.read, lambda: lake.low_later)
    find_aborted(connection, lake.read, lake.read_every)
    return evaluate(connection, "shop.transaction.v1")


def without(lake: Lake, table: str, index: int) -> Lake:
    rows = getattr(lake, table)
    changes: Any = {table: rows[:index] + rows[index + 1 :]}
    return replace(lake, **changes)
