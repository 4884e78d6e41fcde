"""Gold of a real year of a real shop against DuckDB's plain SQL over the same lines."""

from datetime import date
from pathlib import Path

import duckdb
import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from batch_processing import customer_daily, customer_snapshot, daily, daily_product_sales
from config import Settings
from config.settings import REPO
from data_lake.delta_tables import ensure_table
from data_lake.tables import silver, table
from use_cases.churn.features import FEATURES

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
        0::INTEGER AS _partition, 0::BIGINT AS _offset,
        event_time AT TIME ZONE 'UTC' AS broker_time, event_time AT TIME ZONE 'UTC' AS ingested_at,
        strftime(day, '%Y-%m') AS event_month
    FROM lines
) TO '{path}' (FORMAT parquet)
"""
MONTHS = """
SELECT strftime(day, '%Y-%m') AS event_month, sum(CASE kind WHEN 'purchase' THEN value ELSE -value END) AS net_revenue
FROM lines GROUP BY ALL ORDER BY ALL
"""
FEATURES_AT = """
WITH past AS (SELECT *, kind = 'purchase' AS bought, $day - day AS age FROM lines WHERE day < $day)
SELECT customer_id,
    min(age) FILTER (bought) AS recency_days,
    max(age) FILTER (bought) AS tenure_days,
    count(DISTINCT order_id) FILTER (bought AND age <= 30) AS frequency_30d,
    count(DISTINCT order_id) FILTER (bought AND age <= 90) AS frequency_90d,
    count(DISTINCT order_id) FILTER (bought AND age <= 365) AS frequency_365d,
    coalesce(sum(if(bought, value, -value)) FILTER (age <= 30), 0)::DOUBLE AS monetary_30d,
    coalesce(sum(if(bought, value, -value)) FILTER (age <= 90), 0)::DOUBLE AS monetary_90d,
    coalesce(sum(if(bought, value, -value)) FILTER (age <= 365), 0)::DOUBLE AS monetary_365d,
    coalesce(sum(value) FILTER (NOT bought AND age <= 90), 0)::DOUBLE AS returns_90d,
    coalesce(sum(value) FILTER (NOT bought AND age <= 365), 0)::DOUBLE AS returns_365d,
    (sum(value) FILTER (bought AND age <= 365))::DOUBLE / nullif(frequency_365d, 0) AS basket_mean_365d,
    count(DISTINCT product_id) FILTER (bought AND age <= 365) AS products_365d,
    (tenure_days - recency_days)::DOUBLE / nullif(count(DISTINCT day) FILTER (bought) - 1, 0) AS gap_mean_days
FROM past WHERE customer_id IS NOT NULL GROUP BY customer_id HAVING bool_or(bought) ORDER BY customer_id
"""


@pytest.mark.skipif(not FILE.exists(), reason=f"needs {FILE.name} beside the checkout")
def test_gold_of_online_retail_equals_duckdb(spark: SparkSession, lake: Settings, tmp_path: Path) -> None:
    lines = duckdb.connect()
    lines.execute(LINES, {"file": str(FILE)})
    lines.execute(SILVER.format(path=tmp_path / "silver.parquet"))
    target = silver("shop.transaction.v1")
    ensure_table(spark, target, lake)
    spark.read.parquet(str(tmp_path / "silver.parquet")).write.format("delta").mode("append").save(target.path(lake))

    daily.refresh(spark, lake, daily_product_sales.DAILY, full=False)
    daily.refresh(spark, lake, customer_daily.DAILY, full=False)
    customer_snapshot.refresh(spark, lake, every=7, full=False)

    sales = gold(lake, "gold/daily_product_sales")
    assert (
        sales.sql("SELECT event_month, sum(net_revenue) FROM gold GROUP BY ALL ORDER BY ALL").fetchall()
        == lines.execute(MONTHS).fetchall()
    )
    snapshots = gold(lake, "gold/customer_snapshot")
    for day in (MONDAY, NEWEST):
        wanted = lines.execute(FEATURES_AT, {"day": day}).fetchall()
        columns = ", ".join(("customer_id", *FEATURES))
        found = snapshots.execute(
            f"SELECT {columns} FROM gold WHERE snapshot_date = $day ORDER BY customer_id",  # noqa: S608
            {"day": day},
        ).fetchall()
        assert len(found) > 2_000
        assert found == wanted


def gold(lake: Settings, name: str) -> duckdb.DuckDBPyConnection:
    """A connection whose ``gold`` is the table."""
    connection = duckdb.connect()
    connection.register("gold", DeltaTable(table(name).path(lake)).to_pyarrow_table())
    return connection
