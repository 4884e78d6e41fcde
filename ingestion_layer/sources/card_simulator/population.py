"""Who pays where: customers with their habits, terminals, and which of these are near whom.

Source: the handbook's chapter 3, "Customer profiles generation", "Terminal profiles generation" and "Association of
customer profiles to terminals".
"""

from dataclasses import dataclass

import numpy as np

from ingestion_layer.sources.card_simulator.cards import Cards
from ingestion_layer.sources.simulator.columns import Floats, Ints

SIDE = 100.0
DISTANCES_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class Customers:
    """One value a customer in each array: home, mean and deviation of an amount, payments a day."""

    x: Floats
    y: Floats
    mean_amount: Floats
    std_amount: Floats
    payments_a_day: Floats

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True)
class Reach:
    """The terminals each customer pays at: those of customer c are terminal[first[c]] to terminal[first[c + 1] - 1]."""

    first: Ints
    terminal: Ints

    @property
    def counts(self) -> Ints:
        return np.diff(self.first)

    def choose(self, random: np.random.Generator, customer: Ints) -> Ints:
        """One terminal for each of ``customer``, all in reach alike; each must have one."""
        place = (random.random(len(customer)) * self.counts[customer]).astype(np.int64)
        return np.asarray(self.terminal[self.first[customer] + place])


def draw_customers(cards: Cards) -> Customers:
    """Homes anywhere, means of 5 to 100, deviations of half the mean, 0 to 4 payments a day."""
    random, count = cards.random("customers"), cards.customers
    mean = random.uniform(5, 100, count)
    return Customers(
        x=random.uniform(0, SIDE, count),
        y=random.uniform(0, SIDE, count),
        mean_amount=mean,
        std_amount=mean / 2,
        payments_a_day=random.uniform(0, 4, count),
    )


def draw_reach(cards: Cards, customers: Customers) -> Reach:
    """Terminals stand anywhere; in reach are those nearer to home than the radius."""
    random, count = cards.random("terminals"), cards.terminals
    x, y = random.uniform(0, SIDE, count), random.uniform(0, SIDE, count)
    owners, found = [], []
    block = max(1, DISTANCES_AT_ONCE // count)
    for low in range(0, len(customers), block):
        some = slice(low, low + block)
        squared = (customers.x[some, None] - x) ** 2 + (customers.y[some, None] - y) ** 2
        owner, terminal = np.nonzero(squared < cards.radius**2)
        owners.append(owner + low)
        found.append(terminal)
    owner = np.concatenate(owners)
    return Reach(np.searchsorted(owner, np.arange(len(customers) + 1)), np.concatenate(found))
