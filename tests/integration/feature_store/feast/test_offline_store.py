"""Training rows as Feast's own client asks for them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pandas as pd
from pyspark.sql import SparkSession

from data_lake.delta_tables import ensure_table
from data_lake.tables import silver
from feature_store.feast import repository
from tests.cases.lake import append_rows
from tests.cases.transactions import Line, silver_row
from tidemill.config import Settings

TRANSACTIONS = silver("shop.transaction.v1")
AT = datetime(2024, 6, 1, tzinfo=UTC)


def test_services_that_share_groups_are_asked_together(spark: SparkSession, home: Settings) -> None:
    ensure_table(spark, TRANSACTIONS, home)
    lines = [
        Line(AT - timedelta(days=day), "c1", f"o{day}", "p", 2, Decimal(price)) for day, price in ((20, 5), (100, 30))
    ]
    append_rows(home, TRANSACTIONS, [silver_row(line) for line in lines])
    repository.apply(home)
    asked = {
        "churn_features:purchases__amount_sum_30d": 10.0,
        "churn_features:orders_share_90d": 0.5,
        "next_spend_features:purchases__amount_sum_365d": 70.0,
        "next_spend_features:spend__amount_max_180d": 60.0,
        "next_spend_features:spend_share_60d": 10.0 / 70.0,
    }
    rows = pd.DataFrame({"customer_id": ["c1"], "event_timestamp": [AT], "request_time": [int(AT.timestamp()) * 10**6]})

    found = repository.store(home).get_historical_features(entity_df=rows, features=[*asked]).to_df()

    assert {ref: found[ref.partition(":")[2]].tolist() for ref in asked} == {
        ref: [value] for ref, value in asked.items()
    }
