"""Training frames of the simulated shop without a lake: some features of churn, counted from its orders by pandas."""

from datetime import date, timedelta

import numpy as np
import pandas as pd

from feature_store.definitions import FeatureService
from ingestion_layer.sources.simulator.orders import GUEST, Orders
from ingestion_layer.sources.simulator.shop import GROUPS, Shop, day_of
from ml_modeling.frames.cutoffs import CutoffSplit
from ml_modeling.frames.examples import GROUP_OF, TrainingFrame
from use_cases.churn.features import PURCHASES

QUIET_DAYS = 90
SERVICE = FeatureService(
    name="churn",
    features=tuple(
        PURCHASES[name]
        for name in (
            "time_since_last_all",
            "order_id_count_distinct_30d",
            "order_id_count_distinct_90d",
            "order_id_count_distinct_365d",
            "amount_sum_90d",
            "amount_sum_365d",
        )
    ),
)


def shop_frame(shop: Shop) -> tuple[TrainingFrame, CutoffSplit]:
    """Who bought in the 90 days before a cutoff, whether they do in the 90 after it, and their groups."""
    orders = Orders(shop)
    visits = _visits(orders)
    test = shop.last_day - QUIET_DAYS
    validation, train = test - QUIET_DAYS, test - 2 * QUIET_DAYS
    cutoffs = (train - 14, train - 7, train, validation, test)
    rows = pd.concat([_labelled(orders, visits, cutoff) for cutoff in cutoffs], ignore_index=True)
    days = [day_of(cutoff) for cutoff in cutoffs]
    return TrainingFrame(rows, SERVICE.names), CutoffSplit(tuple(days[:3]), (days[3],), (days[4],), ())


def _visits(orders: Orders) -> pd.DataFrame:
    """One row for each customer and order."""
    frames = []
    for day in range(orders.shop.first_day, orders.shop.last_day):
        bought = orders.bought(day)
        spent = bought.quantity * bought.pence / 100
        lines = pd.DataFrame({"customer": bought.customer, "day": day, "order": bought.order, "spent": spent})
        frames.append(lines[lines["customer"] != GUEST])
    return pd.concat(frames).groupby(["customer", "day", "order"], as_index=False)["spent"].sum()


def _labelled(orders: Orders, visits: pd.DataFrame, cutoff: int) -> pd.DataFrame:
    before = visits[visits["day"] < cutoff]
    last = before.groupby("customer")["day"].max()
    who = last.index[last >= cutoff - QUIET_DAYS]

    def recent(days: int) -> pd.DataFrame:
        found = before[before["day"] >= cutoff - days].groupby("customer")["spent"].agg(["size", "sum"])
        return found.reindex(who, fill_value=0)

    after = visits[(visits["day"] >= cutoff) & (visits["day"] < cutoff + QUIET_DAYS)]["customer"]
    at = pd.Timestamp(day_of(cutoff))
    values = (
        (cutoff - last[who]) * 86_400.0,
        *(recent(days)["size"] for days in (30, 90, 365)),
        *(recent(days)["sum"] for days in (90, 365)),
    )
    profiles = orders.customers.profiles
    return pd.DataFrame(
        {
            "entity": [orders.customers.ids[number] for number in who],
            "time": at,
            "matured_at": at + timedelta(days=QUIET_DAYS),
            "label": (~np.isin(who, after)).astype(int),
            **{name: np.asarray(column, dtype=float) for name, column in zip(SERVICE.names, values, strict=True)},
            **{f"{GROUP_OF}{name}": np.array(GROUPS[name])[getattr(profiles, name)[who]] for name in GROUPS},
        }
    )


def shop_of(seed: int, customers: int, **changes: object) -> Shop:
    """A shop of thirteen months."""
    return Shop(seed=seed, customers=customers, start=date(2024, 6, 1), end=date(2025, 7, 1), **changes)  # type: ignore[arg-type]
