"""In which order the rows of a day reach the broker, with the planted faults."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ingestion_layer.kafka.producer import Outgoing
from ingestion_layer.sources.simulator.columns import Bools, Floats, Ints
from ingestion_layer.sources.simulator.corruption import bad_message
from ingestion_layer.sources.simulator.events import (
    CLICKS,
    CUSTOMERS,
    TRANSACTIONS,
    Rows,
    as_in_history,
    events,
    rows_of,
)
from ingestion_layer.sources.simulator.faults import DUPLICATE, KINDS, LATE, LATE_DAYS, NONE, Faults, Plan, plan
from ingestion_layer.sources.simulator.orders import Orders
from ingestion_layer.sources.simulator.seasons import US_PER_DAY
from ingestion_layer.sources.simulator.truth import PlantedFault

TOPICS = (TRANSACTIONS, CLICKS, CUSTOMERS)
SLICE = 20_000


@dataclass(frozen=True)
class Deliveries:
    """Messages in the order they are sent: message m is made from row ``row[m]`` with the fault ``KINDS[fault[m]]``."""

    topic: str
    rows: Rows
    row: Ints
    fault: Ints

    def __len__(self) -> int:
        return len(self.row)

    def counts(self) -> Counter[str]:
        """How many messages there are of each kind."""
        found, counts = np.unique(self.fault, return_counts=True)
        return Counter({KINDS[kind]: int(count) for kind, count in zip(found, counts, strict=True)})

    def slices(self) -> Iterator["Deliveries"]:
        """The same in parts of bounded size."""
        for start in range(0, len(self), SLICE):
            part = slice(start, start + SLICE)
            yield Deliveries(self.topic, self.rows, self.row[part], self.fault[part])


class History:
    """Every message of a shop's history, day by day; a day is the same whichever days were asked for before."""

    def __init__(self, orders: Orders, faults: Faults) -> None:
        self.orders = orders
        self.faults = faults
        self._prepared = lru_cache(maxsize=len(TOPICS) * (LATE_DAYS + 1))(self._prepare)

    def day(self, topic: str, day: int) -> Deliveries:
        """What reaches ``topic`` on ``day``: its rows, those of earlier days that are late, duplicates, bad messages.

        What would come after the history's end comes last on its last day.
        """
        earlier = range(max(self.orders.shop.first_day, day - LATE_DAYS), day)
        parts = [self._arriving(topic, origin, day) for origin in (*earlier, day)]
        rows = _concat([part[0] for part in parts])
        at, is_late, again = (np.concatenate([part[n] for part in parts]) for n in (1, 2, 3))
        repeated = np.flatnonzero(again)
        repeated_at = at[repeated] + again[repeated] * ((day + 1) * US_PER_DAY - 1 - at[repeated])
        own, planned = self._prepared(topic, day)
        every_row = np.concatenate([np.arange(len(rows)), repeated, len(rows) + np.arange(len(planned.kind))])
        fault = np.concatenate([np.where(is_late, LATE, NONE), np.full(len(repeated), DUPLICATE), planned.kind])
        order = np.argsort(np.concatenate([at, repeated_at, (day + planned.at) * US_PER_DAY]), kind="stable")
        with_templates = _concat([rows, own.take(planned.row)])
        return Deliveries(topic, with_templates, every_row[order], fault[order])

    def _prepare(self, topic: str, day: int) -> tuple[Rows, Plan]:
        rows = rows_of(self.orders, topic, day)
        return rows, plan(self.orders.shop, self.faults, topic, day, len(rows))

    def _arriving(self, topic: str, origin: int, day: int) -> tuple[Rows, Ints, Bools, Floats]:
        rows, planned = self._prepared(topic, origin)
        at = np.minimum(rows.time + planned.delay, self.orders.shop.last_day * US_PER_DAY - 1)
        now = at // US_PER_DAY == day
        return rows.take(now), at[now], planned.delay[now] > 0, planned.again[now]


def messages(orders: Orders, deliveries: Deliveries) -> tuple[list[Outgoing], list[PlantedFault]]:
    """The messages themselves, and those of them that are faults."""
    made = events(orders, deliveries.rows.take(deliveries.row), name=as_in_history)
    outgoing: list[Outgoing] = list(made)
    planted = []
    for place in np.flatnonzero(deliveries.fault).tolist():
        kind, event = KINDS[deliveries.fault[place]], made[place]
        identity = event["id"]
        if deliveries.fault[place] not in (DUPLICATE, LATE):
            outgoing[place], identity = bad_message(kind, event, int(deliveries.row[place]))
        planted.append(PlantedFault.of(kind, deliveries.topic, identity, event["time"]))
    return outgoing, planted


def _concat(parts: list[Rows]) -> Rows:
    return type(parts[0]).concat(parts)  # type: ignore[arg-type]
