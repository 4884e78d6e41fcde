"""What is true of a simulated shop, written beside its events: traits and churn of each customer, planted faults."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from ingestion_layer.sources.simulator.catalogue import CATEGORIES
from ingestion_layer.sources.simulator.customers import COUNTRIES
from ingestion_layer.sources.simulator.faults import REASONS
from ingestion_layer.sources.simulator.orders import Orders
from ingestion_layer.sources.simulator.shop import GROUPS
from tidemill.config.settings import Settings

US_PER_DAY = 86_400_000_000
FAULT_SCHEMA = pa.schema([(name, pa.string()) for name in ("kind", "reason", "topic", "event_id", "event_time")])


class PlantedFault(NamedTuple):
    """One faulty message; ``reason`` is why it must be quarantined, None when it is a good event sent oddly."""

    kind: str
    reason: str | None
    topic: str
    event_id: str
    event_time: str

    @classmethod
    def of(cls, kind: str, topic: str, event_id: str, event_time: str) -> Self:
        return cls(kind, REASONS.get(kind), topic, event_id, event_time)


@dataclass(frozen=True)
class Truth:
    """The folder of one shop's truth: ``shop.json``, ``customers.parquet``, ``faults/*/*.parquet``."""

    folder: Path

    @classmethod
    def of(cls, settings: Settings, fingerprint: str) -> Self:
        return cls(settings.home / "truth" / "simulator" / fingerprint)

    def write_shop(self, orders: Orders) -> None:
        """Write the shop's values and its customers.

        ``joined_at`` and ``churned_at`` are moments in UTC (the second may lie after the history's end), rates are
        per day, ``taste_<category>`` are shares that sum to 1.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "shop.json").write_bytes(orjson.dumps(orders.shop.to_dict(), option=orjson.OPT_INDENT_2))
        people = orders.customers
        columns = {
            "customer_id": pa.array(people.ids),
            "joined_at": _moments(people.joined),
            "churned_at": _moments(people.churned),
            "purchase_rate": people.purchase_rate,
            "churn_hazard": people.churn_hazard,
            "price_sensitivity": people.price_sensitivity,
            "return_rate": people.return_rate,
            "basket": people.basket,
            "country": pa.array(np.array(COUNTRIES)[people.country]),
            **{name: np.array(GROUPS[name])[getattr(people.profiles, name)] for name in GROUPS},
        }
        tastes = {f"taste_{name}": people.taste[:, number] for number, name in enumerate(CATEGORIES)}
        pq.write_table(pa.table({**columns, **tastes}), self.folder / "customers.parquet")

    def write_faults(self, name: str, planted: Iterable[PlantedFault]) -> None:
        """Write the faults called ``name`` (a folder and a file name), replacing what had that name."""
        path = self.folder / "faults" / f"{name}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = [fault._asdict() for fault in planted]
        pq.write_table(pa.Table.from_pylist(rows, schema=FAULT_SCHEMA), path)


def _moments(days: np.ndarray) -> pa.Array:
    return pa.array((days * US_PER_DAY).astype(np.int64).astype("datetime64[us]"), pa.timestamp("us", "UTC"))
