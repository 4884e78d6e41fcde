"""The days of one set of cards: what was paid, and what became known."""

from dataclasses import replace
from datetime import timedelta
from functools import lru_cache

from ingestion_layer.sources.card_simulator.cards import Cards
from ingestion_layer.sources.card_simulator.payments import DAY_S, US_PER_S, Payments, genuine_payments
from ingestion_layer.sources.card_simulator.population import draw_customers, draw_reach
from ingestion_layer.sources.card_simulator.scenarios import Scenarios

VERDICT_DELAY = timedelta(days=7)
"""How long after a payment it is known whether it was fraud (the handbook's chapter 3, "delay period")."""


class Ledger:
    """The payments and verdicts of one set of cards, day by day; any day can be asked for, in any order."""

    def __init__(self, cards: Cards) -> None:
        self.cards = cards
        self.customers = draw_customers(cards)
        self.reach = draw_reach(cards, self.customers)
        self.scenarios = Scenarios(cards)
        self.payments = lru_cache(maxsize=VERDICT_DELAY.days + 1)(self._payments)

    def verdicts(self, day: int) -> Payments:
        """The payments whose verdict becomes known on ``day``, with the time it does; not for the first days."""
        paid = self.payments(day - VERDICT_DELAY.days)
        return replace(paid, time=paid.time + VERDICT_DELAY.days * DAY_S * US_PER_S)

    def _payments(self, day: int) -> Payments:
        """The payments of ``day``, ordered by time."""
        return self.scenarios.applied(genuine_payments(self.cards, self.customers, self.reach, day), day)
