"""States of customers in the online store, made without Spark."""

import time
from datetime import UTC, datetime, timedelta

import numpy as np

from feature_store.columns.events import Column, Events
from feature_store.definitions import FeatureGroup
from feature_store.definitions.windows import micros
from feature_store.tiles import Layout, apply
from tests.cases.states import EPOCH, put_states
from tidemill.config import Settings
from use_cases.churn.features import PURCHASES, RETURNS

AS_OF = datetime(2026, 1, 4, tzinfo=UTC)
COMMIT = 5
KNOWN = tuple(f"known-{number}" for number in range(200))


def amount(customer_id: str) -> float:
    """What a customer bought a day ago; who has a number like 3, 10, 17 only returned something."""
    number = int(customer_id.removeprefix("known-"))
    return 0.0 if number % 7 == 3 else number * 10.0


def feature_values(customer_id: str) -> dict[str, float | None]:
    """The features of a customer, but for the time since the purchase, which goes on."""
    spent = amount(customer_id)
    orders = float(spent > 0 or customer_id == KNOWN[0])
    days = ("30d", "90d", "365d")
    return {
        **{f"purchases__order_id_count_distinct_{window}": orders for window in days},
        **{f"purchases__amount_sum_{window}": spent for window in days},
        "purchases__product_id_count_distinct_365d": orders,
        **{f"returns__count_{window}": 1.0 - orders for window in days[1:]},
        "basket_mean_365d": spent if orders else None,
        "orders_share_90d": 1.0 if orders else None,
    }


def write_states(settings: Settings) -> None:
    now = time.time_ns() // 1000
    for group in (PURCHASES, RETURNS):
        known = [one for one in KNOWN if _kind(one) == ("purchase" if group is PURCHASES else "return")]
        layout = Layout.of(group)
        states = apply(layout, [None] * len(known), _events(group, known, now), np.full(len(known), COMMIT), now, EPOCH)
        until = micros(AS_OF - datetime(1970, 1, 1, tzinfo=UTC))
        put_states(settings, group, known, states, COMMIT, now, until)


def _kind(customer_id: str) -> str:
    return "purchase" if feature_values(customer_id)["orders_share_90d"] else "return"


def _events(group: FeatureGroup, customers: list[str], now: int) -> Events:
    number = len(customers)
    values = {
        "amount": [amount(one) for one in customers],
        "kind": [_kind(one) for one in customers],
        "order_id": [f"o-{one}" for one in customers],
        "product_id": ["p"] * number,
    }
    return Events(
        entity=np.arange(number),
        time=np.full(number, now - micros(timedelta(days=1))),
        tie=np.arange(number, dtype=np.uint64),
        columns={name: Column.of(values[name]) for name in group.columns},
    )
