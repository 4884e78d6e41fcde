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
SOUTH, WEST = 49.5, 4.5
"""Of the corner of the square, in degrees, once its unit is taken for a kilometre: the handbook says neither."""
DEGREE_KM = 111.195
"""Of latitude, on a sphere of 6,371 km."""


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


@dataclass(frozen=True)
class Terminals:
    """One value a terminal in each array: its place on the square."""

    x: Floats
    y: Floats

    @property
    def latitude(self) -> Floats:
        """In degrees north, to a metre."""
        return np.round(SOUTH + self.y / DEGREE_KM, 5)

    @property
    def longitude(self) -> Floats:
        """In degrees east, to a metre."""
        return np.round(WEST + self.x / (DEGREE_KM * np.cos(np.radians(self.latitude))), 5)


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


def draw_terminals(cards: Cards) -> Terminals:
    """Anywhere."""
    random, count = cards.random("terminals"), cards.terminals
    return Terminals(x=random.uniform(0, SIDE, count), y=random.uniform(0, SIDE, count))


def draw_reach(cards: Cards, customers: Customers) -> Reach:
    """In reach are the terminals nearer to home than the radius."""
    terminals = draw_terminals(cards)
    owners, found = [], []
    block = max(1, DISTANCES_AT_ONCE // cards.terminals)
    for low in range(0, len(customers), block):
        some = slice(low, low + block)
        squared = (customers.x[some, None] - terminals.x) ** 2 + (customers.y[some, None] - terminals.y) ** 2
        owner, terminal = np.nonzero(squared < cards.radius**2)
        owners.append(owner + low)
        found.append(terminal)
    owner = np.concatenate(owners)
    return Reach(np.searchsorted(owner, np.arange(len(customers) + 1)), np.concatenate(found))
