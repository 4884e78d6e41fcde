"""States made anew say of everybody what states say that were kept all the time."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
from pyspark.sql import SparkSession

from data_lake.delta_tables import ensure_table
from data_lake.tables import silver
from feature_store.definitions import Entity, FeatureGroup, Source, column, count, days
from feature_store.states import StateStore
from feature_store.stream.bootstrap import bootstrap
from feature_store.tiles import Layout, Status
from feature_store.tiles.merge import Plan, merge
from tests.cases.lake import append_rows
from tests.cases.transactions import Line, silver_row
from tidemill.config import Settings

TRANSACTIONS = silver("shop.transaction.v1")
RECENT = FeatureGroup(
    "recent",
    Entity("customer", "customer_id"),
    Source("silver/transactions"),
    (count(), column("quantity").max()),
    (days(7), days(30)),
)
CUSTOMERS = ["came today", "came long ago", "came often long ago", "never came"]


def test_who_has_no_event_that_a_window_reaches_is_known(spark: SparkSession, redis_home: Settings) -> None:
    now = datetime.now(UTC)
    came = [
        ("came today", 0),
        ("came today", 50),
        *(("came often long ago", day) for day in (60, 61)),
        (CUSTOMERS[1], 90),
    ]
    ensure_table(spark, TRANSACTIONS, redis_home)
    lines = [
        Line(now - timedelta(days=day, hours=1), customer, f"o{number}", "p", 2, Decimal("1.5"))
        for number, (customer, day) in enumerate(came)
    ]
    append_rows(redis_home, TRANSACTIONS, [silver_row(line) for line in lines])

    made = bootstrap(spark, redis_home, RECENT)

    assert made.entities == 3
    states = StateStore(redis_home, RECENT).read(CUSTOMERS)
    at = np.full(len(CUSTOMERS), int(datetime.now(UTC).timestamp() * 1e6))
    merged = merge(Plan.of(Layout.of(RECENT)), states, at)
    assert merged.status.tolist() == [Status.OK, Status.OK, Status.OK, Status.NO_STATE]
    assert merged.features["recent__count_30d"].tolist() == [1, 0, 0, 0]
    np.testing.assert_array_equal(merged.features["recent__quantity_max_30d"], [2, np.nan, np.nan, np.nan])
