"""A shop must be worth learning from: what customers did tells more about who stays than how long they are quiet."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from ingestion_layer.sources.simulator.orders import GUEST, Orders
from ingestion_layer.sources.simulator.shop import Shop

SHOP = Shop(seed=21, customers=2500, start=date(2024, 6, 1), end=date(2025, 7, 1))
QUIET_DAYS = 90


@pytest.fixture(scope="module")
def visits() -> pd.DataFrame:
    """One row for each customer and day with a purchase, and what was spent."""
    orders = Orders(SHOP)
    days = []
    for day in range(SHOP.first_day, SHOP.last_day):
        bought = orders.bought(day)
        frame = pd.DataFrame({"customer": bought.customer, "spent": bought.quantity * bought.pence, "day": day})
        days.append(frame[frame["customer"] != GUEST].groupby(["customer", "day"], as_index=False).sum())
    return pd.concat(days)


def labelled(visits: pd.DataFrame, cutoff: int) -> pd.DataFrame:
    """What was known of each customer on the day ``cutoff``, and whether they then bought nothing for 90 days."""
    known = visits[visits["day"] < cutoff]
    rows = known.groupby("customer").agg(last=("day", "max"), first=("day", "min"), orders=("day", "size"))
    for window in (30, 90):
        recent = known[known["day"] >= cutoff - window].groupby("customer")
        rows[f"orders_{window}"] = recent.size()
        rows[f"spent_{window}"] = recent["spent"].sum()
    rows["recency"] = cutoff - rows.pop("last")
    rows["tenure"] = cutoff - rows.pop("first")
    later = visits[(visits["day"] >= cutoff) & (visits["day"] < cutoff + QUIET_DAYS)]
    rows["churned"] = ~rows.index.isin(later["customer"])
    return rows.fillna(0.0)


def test_a_simple_model_beats_recency_and_leaves_room(visits: pd.DataFrame) -> None:
    newest = SHOP.last_day - QUIET_DAYS
    train = pd.concat(labelled(visits, newest - QUIET_DAYS - days) for days in (0, 30, 60))
    test = labelled(visits, newest)
    features = [name for name in test.columns if name != "churned"]
    model = LogisticRegression(max_iter=1000).fit(np.log1p(train[features]), train["churned"])
    by_model = roc_auc_score(test["churned"], model.predict_proba(np.log1p(test[features]))[:, 1])
    by_recency = roc_auc_score(test["churned"], test["recency"])
    assert 0.75 < by_model < 0.9
    assert by_model > by_recency + 0.015
