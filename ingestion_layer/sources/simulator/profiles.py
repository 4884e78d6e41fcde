"""What customers say of themselves when they sign up, and the day on which they do."""

from dataclasses import dataclass

import numpy as np

from ingestion_layer.sources.simulator.columns import Columns, Floats, Ints
from ingestion_layer.sources.simulator.seasons import US_PER_DAY
from ingestion_layer.sources.simulator.shop import GROUPS, Shop

SHARES = {
    "age_band": (0.12, 0.25, 0.3, 0.2, 0.13),
    "region": (0.3, 0.2, 0.35, 0.15),
    "sign_up_channel": (0.4, 0.3, 0.2, 0.1),
}


@dataclass(frozen=True)
class Profiles:
    """One value a customer in each array: an index of :data:`GROUPS` of that name."""

    age_band: Ints
    region: Ints
    sign_up_channel: Ints

    def rate(self, shop: Shop) -> Floats:
        """By which factor each buys more or less often, because of the bias that was planted."""
        if shop.bias is None:
            return np.ones(len(self.age_band))
        belongs = getattr(self, shop.bias.column) == GROUPS[shop.bias.column].index(shop.bias.group)
        return np.where(belongs, shop.bias.rate, 1.0)


@dataclass(frozen=True)
class SignUps(Columns):
    """Profiles of customers; ``time`` in microseconds since 1970, of whoever was there before the first day that day's.

    All precede the customer's first purchase.
    """

    customer: Ints


def draw_profiles(shop: Shop) -> Profiles:
    """Nothing that customers do follows from it, but for a planted bias."""
    drawn = {
        name: shop.random(f"profiles: {name}").choice(len(shares), size=shop.customers, p=shares)
        for name, shares in SHARES.items()
    }
    return Profiles(**drawn)


def sign_ups(shop: Shop, joined: Floats, day: int) -> SignUps:
    """Who signs up on ``day``, in days since 1970 as ``joined`` is, ordered by time."""
    at = np.maximum(joined, shop.first_day)
    customer = np.flatnonzero(at.astype(np.int64) == day)
    time = (at[customer] * US_PER_DAY).astype(np.int64)
    order = np.argsort(time, kind="stable")
    return SignUps(time=time[order], customer=customer[order])
