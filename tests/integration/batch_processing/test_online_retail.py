"""Gold and features of a real year of a real shop against DuckDB's plain SQL over the same lines."""

import math
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from batch_processing import daily
from data_lake.delta_tables import ensure_table
from data_lake.gold import gold_table
from data_lake.tables import silver, table
from feature_store.offline.snapshot import snapshot
from tidemill.config import Settings
from tidemill.config.settings import REPO
from use_cases.churn.features import SERVICE

FILE = REPO.parent / "shared" / "data" / "online-retail.csv.gz"
NEWEST = date(2011, 12, 9)
MONDAY = date(2011, 6, 6)

LINES = """
CREATE TABLE lines AS SELECT *, units::DECIMAL(10,0) * price AS value FROM (SELECT DISTINCT
    CAST(InvoiceDate AS TIMESTAMP) AS event_time, CAST(InvoiceDate AS DATE) AS day, InvoiceNo AS order_id,
    CAST(CAST(CustomerID AS DOUBLE) AS BIGINT)::VARCHAR AS customer_id, StockCode AS product_id,
    Description AS description, abs(CAST(Quantity AS BIGINT)) AS units,
    CAST(UnitPrice AS DECIMAL(18,4)) AS price, Country AS country,
    CASE WHEN CAST(Quantity AS BIGINT) < 0 THEN 'return' ELSE 'purchase' END AS kind
FROM read_csv($file, all_varchar = true)
WHERE CAST(UnitPrice AS DECIMAL(18,4)) >= 0 AND CAST(Quantity AS BIGINT) <> 0)
"""
SILVER = """
COPY (
    SELECT CAST(row_number() OVER () AS VARCHAR) AS event_id, event_time AT TIME ZONE 'UTC' AS event_time,
        day AS event_date, 'file' AS source, order_id, 1::BIGINT AS line, customer_id, product_id, description,
        units AS quantity, price AS unit_price, 'GBP' AS currency, country, kind,
        1::INTEGER AS _generation, 0::BIGINT AS _digest, 0::INTEGER AS _partition, 0::BIGINT AS _offset,
        event_time AT TIME ZONE 'UTC' AS broker_time, event_time AT TIME ZONE 'UTC' AS ingested_at,
        strftime(day, '%Y-%m') AS event_month
    FROM lines
) TO '{path}' (FORMAT parquet)
"""
MONTHS = """
SELECT strftime(day, '%Y-%m') AS event_month, sum(CASE kind WHEN 'purchase' THEN value ELSE -value END) AS net_revenue
FROM lines GROUP BY ALL ORDER BY ALL
"""
# At midnight the tail of a window of days is a midnight too.
FEATURES_AT = """
WITH past AS (SELECT *, kind = 'purchase' AS bought, $day - day AS age FROM lines WHERE day < $day)
SELECT customer_id,
    epoch($day::TIMESTAMP - max(event_time) FILTER (bought)) AS purchases__time_since_last_all,
    count(DISTINCT order_id) FILTER (bought AND age <= 30) AS purchases__order_id_count_distinct_30d,
    count(DISTINCT order_id) FILTER (bought AND age <= 90) AS purchases__order_id_count_distinct_90d,
    count(DISTINCT order_id) FILTER (bought AND age <= 365) AS purchases__order_id_count_distinct_365d,
    coalesce(sum(value) FILTER (bought AND age <= 30), 0)::DOUBLE AS purchases__amount_sum_30d,
    coalesce(sum(value) FILTER (bought AND age <= 90), 0)::DOUBLE AS purchases__amount_sum_90d,
    coalesce(sum(value) FILTER (bought AND age <= 365), 0)::DOUBLE AS purchases__amount_sum_365d,
    count(DISTINCT product_id) FILTER (bought AND age <= 365) AS purchases__product_id_count_distinct_365d,
    count(*) FILTER (NOT bought AND age <= 90) AS returns__count_90d,
    count(*) FILTER (NOT bought AND age <= 365) AS returns__count_365d,
    purchases__amount_sum_365d / nullif(purchases__order_id_count_distinct_365d, 0) AS basket_mean_365d,
    purchases__order_id_count_distinct_90d / nullif(purchases__order_id_count_distinct_365d, 0) AS orders_share_90d
FROM past WHERE customer_id IS NOT NULL GROUP BY customer_id ORDER BY customer_id
"""


@pytest.mark.skipif(not FILE.exists(), reason=f"needs {FILE.name} beside the checkout")
def test_gold_and_features_of_online_retail_equal_duckdb(spark: SparkSession, lake: Settings, tmp_path: Path) -> None:
    lines = duckdb.connect()
    lines.execute(LINES, {"file": str(FILE)})
    lines.execute(SILVER.format(path=tmp_path / "silver.parquet"))
    target = silver("shop.transaction.v1")
    ensure_table(spark, target, lake)
    spark.read.parquet(str(tmp_path / "silver.parquet")).write.format("delta").mode("append").save(target.path(lake))

    daily.refresh(spark, lake, gold_table("daily_product_sales"), full=False)
    daily.refresh(spark, lake, gold_table("customer_daily"), full=False)

    sales = gold(lake, "gold/daily_product_sales")
    assert (
        sales.sql("SELECT event_month, sum(net_revenue) FROM gold GROUP BY ALL ORDER BY ALL").fetchall()
        == lines.execute(MONTHS).fetchall()
    )
    for day in (MONDAY, NEWEST):
        wanted = lines.execute(FEATURES_AT, {"day": day}).fetchall()
        at = datetime(day.year, day.month, day.day, tzinfo=UTC)
        found = snapshot(spark, lake, SERVICE, at).orderBy("customer_id").collect()
        assert len(found) > 2_000
        assert [row["customer_id"] for row in found] == [customer for customer, *_ in wanted]
        for position, name in enumerate(SERVICE.names, 1):
            expected = [math.nan if row[position] is None else float(row[position]) for row in wanted]
            values = [math.nan if row[name] is None else row[name] for row in found]
            assert values == pytest.approx(expected, rel=1e-9, nan_ok=True), name


def gold(lake: Settings, name: str) -> duckdb.DuckDBPyConnection:
    """A connection whose ``gold`` is the table."""
    connection = duckdb.connect()
    connection.register("gold", DeltaTable(table(name).path(lake)).to_pyarrow_table())
    return connection
