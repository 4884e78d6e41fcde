"""Who buys: traits that no event states, and that a model can only infer from what people do.

Purchases and churn follow the Pareto/NBD family (Schmittlein, Morrison and Colombo, Management Science 33, 1987):
a gamma-distributed purchase rate, an exponentially distributed hazard of leaving for good. On top of it, interest
fades during the last weeks before someone leaves, and those who return much leave sooner.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ingestion_layer.sources.simulator.catalogue import CATEGORIES
from ingestion_layer.sources.simulator.columns import Floats, Ints
from ingestion_layer.sources.simulator.profiles import Profiles, draw_profiles
from ingestion_layer.sources.simulator.shop import Shop

COUNTRIES = ("United Kingdom", "Germany", "France", "EIRE", "Spain", "Netherlands")
COUNTRY_SHARES = (0.7, 0.09, 0.08, 0.06, 0.04, 0.03)
FADE_DAYS = 75.0
FADED = 0.2
MEAN_GAP_DAYS = 40.0
MEAN_LIFE_DAYS = 1200.0
RATE_SHAPE = 0.6


@dataclass(frozen=True)
class Customers:
    """One value a customer in each array. Days count from 1970-01-01, rates are per day.

    ``taste``: [customers, categories], each row sums to 1.
    """

    joined: Floats
    churned: Floats
    purchase_rate: Floats
    churn_hazard: Floats
    price_sensitivity: Floats
    return_rate: Floats
    basket: Floats
    taste: Floats
    country: Ints
    profiles: Profiles

    def __len__(self) -> int:
        return len(self.joined)

    @cached_property
    def ids(self) -> list[str]:
        return [f"C{number:06d}" for number in range(len(self))]

    def interest(self, day: int) -> Floats:
        """0 for those who are not there, 1 at first, falling to :data:`FADED` in the last weeks before they leave."""
        left = self.churned - day
        fading = FADED + (1 - FADED) * np.clip(left / FADE_DAYS, 0, 1)
        return np.where((self.joined <= day) & (left > 0), fading, 0.0)


def draw_customers(shop: Shop) -> Customers:
    """The customers of ``shop``: half joined before its first day, the others during its history."""
    random, count = shop.random("customers"), shop.customers
    days = shop.last_day - shop.first_day
    before = random.random(count) < 0.5
    joined = shop.first_day + np.where(before, -random.random(count) * 180, random.random(count) * days)
    unhappy = random.normal(0, 1, count)
    hazard = random.exponential(1 / MEAN_LIFE_DAYS, count) * np.exp(0.4 * unhappy)
    life = 20 + random.exponential(1, count) / hazard
    profiles = draw_profiles(shop)
    rate = random.gamma(RATE_SHAPE, 1 / (RATE_SHAPE * MEAN_GAP_DAYS), count)
    already_gone = joined + life < shop.first_day
    return Customers(
        joined=joined,
        churned=np.where(already_gone, shop.first_day, joined) + life,
        purchase_rate=rate * profiles.rate(shop),
        churn_hazard=hazard,
        price_sensitivity=random.beta(2, 3, count),
        return_rate=0.04 * np.exp(0.8 * unhappy).clip(0, 8),
        basket=1 + random.gamma(2, 1, count),
        taste=random.dirichlet(np.full(len(CATEGORIES), 0.4), count),
        country=random.choice(len(COUNTRIES), size=count, p=COUNTRY_SHARES),
        profiles=profiles,
    )
