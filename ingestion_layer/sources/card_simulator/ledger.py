"""The days of one set of cards: what was paid, and what became known."""

from dataclasses import replace
from datetime import timedelta
from functools import lru_cache

import numpy as np

from ingestion_layer.sources.card_simulator.cards import Cards
from ingestion_layer.sources.card_simulator.payments import DAY_S, US_PER_S, Payments, genuine_payments
from ingestion_layer.sources.card_simulator.population import draw_customers, draw_reach
from ingestion_layer.sources.card_simulator.scenarios import Scenarios
from ingestion_layer.sources.simulator.shop import day_of

VERDICT_DELAY = timedelta(days=Cards.verdict_days)
"""The handbook's (chapter 3, "delay period"): what ``Cards.verdict_days`` is unless another is asked for."""


class Ledger:
    """The payments and verdicts of one set of cards, day by day; any day can be asked for, in any order."""

    def __init__(self, cards: Cards) -> None:
        self.cards = cards
        self.customers = draw_customers(cards)
        self.reach = draw_reach(cards, self.customers)
        self.scenarios = Scenarios(cards)
        self.payments = lru_cache(maxsize=cards.verdict_days + 1)(self._payments)

    def verdicts(self, day: int) -> Payments:
        """The payments whose verdict becomes known on ``day``, with the time it does; not for the first days."""
        delay = self.cards.verdict_days
        paid = self.payments(day - delay)
        return replace(paid, time=paid.time + delay * DAY_S * US_PER_S)

    def _payments(self, day: int) -> Payments:
        """The payments of ``day``, ordered by time."""
        paid = self.scenarios.applied(genuine_payments(self.cards, self.customers, self.reach, day), day)
        drift = self.cards.drift
        if drift is None or day_of(day) < drift.start:
            return paid
        return replace(paid, cents=np.rint(paid.cents * drift.amount).astype(np.int64))
