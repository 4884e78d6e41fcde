"""How payments become fraud: three scenarios, of which a later one takes precedence.

Source: the handbook's chapter 3, "Fraud scenarios generation". It draws 2 of 10,000 terminals and 3 of 5,000 customers
a day; here the same shares of any number.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from ingestion_layer.sources.card_simulator.cards import PUBLISHED_CUSTOMERS, PUBLISHED_TERMINALS, Cards
from ingestion_layer.sources.card_simulator.payments import Payments
from ingestion_layer.sources.simulator.columns import Ints

GENUINE, LARGE_AMOUNT, TERMINAL, CUSTOMER = range(4)


@dataclass(frozen=True)
class Compromise:
    """``share`` of all are compromised anew each day, and stay so for ``days``."""

    purpose: str
    share: float
    days: int


LARGE_CENTS = 220_00
"""Scenario 1: a larger amount is fraud, so that any detector finds something."""

TERMINALS = Compromise("compromised terminals", 2 / PUBLISHED_TERMINALS, 28)
"""Scenario 2: every payment at such a terminal is fraud, of whatever amount."""

CUSTOMERS = Compromise("compromised customers", 3 / PUBLISHED_CUSTOMERS, 14)
SPENT = 1 / 3
FACTOR = 5
"""Scenario 3: of a customer whose credentials leaked, a third of the payments are fraud, of five times the amount."""


class Scenarios:
    """The compromised terminals and customers of one set of cards; any day can be asked for."""

    def __init__(self, cards: Cards) -> None:
        self.cards = cards
        self._drawn = lru_cache(maxsize=TERMINALS.days + CUSTOMERS.days)(self._draw)

    def terminals(self, day: int) -> Ints:
        """The terminals that are compromised on ``day``; one stands there twice that was drawn twice."""
        return self._compromised(TERMINALS, self.cards.terminals, day)

    def customers(self, day: int) -> Ints:
        """The customers who are compromised on ``day``; one stands there twice who was drawn twice."""
        return self._compromised(CUSTOMERS, self.cards.customers, day)

    def applied(self, payments: Payments, day: int) -> Payments:
        """``payments`` of ``day`` with their scenarios, and with the amounts that fraud makes of them."""
        scenario = np.where(payments.cents > LARGE_CENTS, LARGE_AMOUNT, GENUINE)
        scenario[np.isin(payments.terminal, self.terminals(day))] = TERMINAL
        leaks = np.bincount(self.customers(day), minlength=self.cards.customers)[payments.customer]
        hits = self.cards.random("spent", day).binomial(leaks, SPENT)
        scenario[hits > 0] = CUSTOMER
        return replace(payments, cents=payments.cents * FACTOR**hits, scenario=scenario)

    def _compromised(self, compromise: Compromise, count: int, day: int) -> Ints:
        origins = range(max(self.cards.first_day, day - compromise.days + 1), day + 1)
        return np.concatenate([self._drawn(compromise, count, origin) for origin in origins])

    def _draw(self, compromise: Compromise, count: int, day: int) -> Ints:
        """Who is compromised from ``day`` on: the share, on average also where it is no whole number."""
        random = self.cards.random(compromise.purpose, day)
        return random.choice(count, size=int(compromise.share * count + random.random()), replace=False)
