"""Order lines of a day, bought and returned."""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from ingestion_layer.sources.simulator.catalogue import CATEGORIES, Catalogue, draw_catalogue
from ingestion_layer.sources.simulator.columns import Bools, Columns, Floats, Ints
from ingestion_layer.sources.simulator.customers import Customers, draw_customers
from ingestion_layer.sources.simulator.seasons import US_PER_DAY, season, times_of_day
from ingestion_layer.sources.simulator.shop import Shop, day_of

GUEST = -1
RETURN_DAYS = 28
MAX_LINES = 40


@dataclass(frozen=True)
class Lines(Columns):
    """Order lines; ``time`` in microseconds since 1970, ``customer`` -1 for a guest.

    ``day`` and ``order`` name the order; ``back_on`` is the day the line is returned, 0 when it is kept.
    """

    day: Ints
    order: Ints
    line: Ints
    customer: Ints
    country: Ints
    product: Ints
    quantity: Ints
    pence: Ints
    back_on: Ints
    is_return: Bools


class Orders:
    """The orders of one shop, day by day; any day can be asked for, in any order."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.catalogue: Catalogue = draw_catalogue(shop)
        self.customers: Customers = draw_customers(shop)
        self.bought = lru_cache(maxsize=4)(self._bought)
        self._coming_back = lru_cache(maxsize=2 * RETURN_DAYS)(self._coming_back_from)

    def day(self, day: int) -> Lines:
        """What is bought and returned on ``day``, ordered by time."""
        earlier = range(max(self.shop.first_day, day - RETURN_DAYS), day)
        parts = [self.bought(day), *(self._returned(origin, day) for origin in earlier)]
        lines = Lines.concat(parts)
        return lines.take(np.argsort(lines.time, kind="stable"))

    def purchase_rates(self, day: int) -> Floats:
        """Expected orders of each customer on ``day``."""
        drift = self.shop.drift
        factor = drift.rate if drift and self._has_drifted(day) else 1.0
        rates = self.customers.purchase_rate * self.customers.interest(day)
        return np.asarray(rates * (season(day) * factor), dtype=np.float64)

    def tastes(self, day: int, customer: Ints) -> Floats:
        """Cumulative shares of the categories, [customers, categories]; a guest likes all alike."""
        taste = np.where((customer == GUEST)[:, None], 1 / len(CATEGORIES), self.customers.taste[customer])
        drift = self.shop.drift
        if drift and self._has_drifted(day):
            taste = (1 - drift.taste) * taste + drift.taste * np.roll(taste, 1, axis=1)
        return np.asarray(np.cumsum(taste, axis=1), dtype=np.float64)

    def choose(self, random: np.random.Generator, day: int, customer: Ints) -> Ints:
        """A product for each customer given (-1: a guest)."""
        above = self.tastes(day, customer) < random.random(len(customer))[:, None]
        category = np.minimum(above.sum(axis=1), len(CATEGORIES) - 1)
        sensitivity = np.where(customer == GUEST, 0.4, self.customers.price_sensitivity[customer])
        return self.catalogue.choose(random, category, sensitivity)

    def buyers(self, random: np.random.Generator, day: int, rates: Floats) -> Ints:
        """Who comes on ``day`` at these rates, as often as they come; guests (-1) come too."""
        known = np.repeat(np.arange(len(self.customers)), random.poisson(rates))
        guests = np.full(random.poisson(self.shop.guests * rates.sum()), GUEST)
        return np.concatenate([known, guests]).astype(np.int64)

    def _has_drifted(self, day: int) -> bool:
        drift = self.shop.drift
        return drift is not None and day_of(day) >= drift.start

    def _bought(self, day: int) -> Lines:
        random = self.shop.random("orders", day)
        buyer = self.buyers(random, day, self.purchase_rates(day))
        interest = np.where(buyer == GUEST, 1.0, self.customers.interest(day)[buyer])
        basket = np.where(buyer == GUEST, 1.5, self.customers.basket[buyer])
        counts = np.minimum(1 + random.poisson((basket - 1) * interest), MAX_LINES)
        time = day * US_PER_DAY + times_of_day(random, len(buyer))
        order = np.repeat(np.arange(len(buyer)), counts)
        customer = buyer[order]
        product = self.choose(random, day, customer)
        return Lines(
            day=np.full(len(order), day),
            order=order,
            line=np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts) + 1,
            customer=customer,
            country=np.where(customer == GUEST, 0, self.customers.country[customer]),
            product=product,
            quantity=1 + random.poisson(0.8, len(order)),
            pence=self._prices(day)[product],
            time=time[order],
            back_on=self._return_days(random, day, customer, interest[order]),
            is_return=np.zeros(len(order), dtype=bool),
        )

    def _prices(self, day: int) -> Ints:
        drift = self.shop.drift
        factor = drift.price if drift and self._has_drifted(day) else 1.0
        return np.asarray(np.maximum(np.rint(self.catalogue.pence * factor), 1), dtype=np.int64)

    def _return_days(self, random: np.random.Generator, day: int, customer: Ints, interest: Floats) -> Ints:
        rate = np.where(customer == GUEST, 0.0, self.customers.return_rate[customer] * (2 - interest))
        is_back = random.random(len(customer)) < rate
        return np.where(is_back, day + random.integers(2, RETURN_DAYS + 1, len(customer)), 0)

    def _coming_back_from(self, origin: int) -> Lines:
        bought = self.bought(origin)
        return bought.take(bought.back_on > 0)

    def _returned(self, origin: int, day: int) -> Lines:
        coming = self._coming_back(origin)
        random = self.shop.random("returns", origin)
        share, time = random.random(len(coming)), times_of_day(random, len(coming))
        quantity = 1 + (share * coming.quantity).astype(np.int64)
        at = coming.back_on * US_PER_DAY + time
        returned = replace(coming, quantity=quantity, time=at, is_return=np.ones(len(coming), dtype=bool))
        return returned.take(coming.back_on == day)
