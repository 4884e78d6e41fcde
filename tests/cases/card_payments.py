"""Simulated card payments as the tables of the lake have them: for the kernel, and for the naive loop."""

from dataclasses import dataclass
from datetime import date

import numpy as np

from feature_store.columns.events import Column, Events, Ints
from feature_store.definitions import FeatureGroup
from ingestion_layer.sources.card_simulator.cards import Cards
from ingestion_layer.sources.card_simulator.ledger import Ledger
from ingestion_layer.sources.card_simulator.payments import Payments
from ingestion_layer.sources.card_simulator.scenarios import GENUINE
from tests.cases.naive_windows import Happened

CARDS = Cards(customers=40, terminals=20, radius=40.0, start=date(2024, 1, 1), end=date(2024, 3, 1))


@dataclass(frozen=True)
class Tables:
    """The payments of :data:`CARDS`, and those among them that have a verdict, at its time."""

    paid: Payments
    known: Payments

    def entity(self, group: FeatureGroup) -> Ints:
        """Of each payment, whom the group describes."""
        return self.paid.customer if group.entity.key == "customer_id" else self.paid.terminal

    def events(self, group: FeatureGroup) -> Events:
        rows, values = self._source(group)
        entity = rows.customer if group.entity.key == "customer_id" else rows.terminal
        column = {name: Column(one, np.ones(len(rows), dtype=np.bool_)) for name, one in values.items()}
        return Events(entity, rows.time, np.arange(len(rows)).astype(np.uint64), column)

    def history(self, group: FeatureGroup) -> list[Happened]:
        events = self.events(group)
        return [
            Happened(entity, time, tie, {name: column.values[tie].item() for name, column in events.columns.items()}, 0)
            for tie, (entity, time) in enumerate(zip(events.entity.tolist(), events.time.tolist(), strict=True))
        ]

    def _source(self, group: FeatureGroup) -> tuple[Payments, dict[str, np.ndarray]]:
        if group.source.table == "silver/card_verdicts":
            return self.known, {"is_fraud": self.known.scenario != GENUINE}
        return self.paid, {"amount": self.paid.cents / 100}


def tables() -> Tables:
    ledger = Ledger(CARDS)
    days = range(CARDS.first_day, CARDS.last_day)
    known = [ledger.verdicts(day) for day in days[7:]]
    return Tables(Payments.concat([ledger.payments(day) for day in days]), Payments.concat(known))
