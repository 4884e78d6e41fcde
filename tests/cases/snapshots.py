"""Rows of ``gold/customer_snapshot`` with made-up values."""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from data_lake.tables import table

COLUMNS = [column.name for column in table("gold/customer_snapshot").columns]
OPTIONAL = {column.name for column in table("gold/customer_snapshot").columns if column.nullable}


@dataclass(frozen=True)
class Snapshot:
    """The features of one customer at a time, in the order of the table's columns."""

    customer_id: str
    time: datetime
    features: tuple[float | None, ...]

    @property
    def row(self) -> list[Any]:
        return [self.time.astimezone(UTC).date(), self.time, self.customer_id, *self.features]


def random_snapshot(rng: random.Random, customer_id: str, time: datetime) -> Snapshot:
    names = COLUMNS[3:]
    return Snapshot(customer_id, time, tuple(_number(rng, name in OPTIONAL) for name in names))


def rows(snapshots: Iterable[Snapshot]) -> list[list[Any]]:
    return [snapshot.row for snapshot in snapshots]


def _number(rng: random.Random, may_be_null: bool) -> float | None:
    return None if may_be_null and rng.random() < 0.3 else rng.choice([0.0, -1.5, rng.uniform(-1e6, 1e6)])
