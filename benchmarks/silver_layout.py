"""What silver's layout costs the insert-only MERGE: partitioned by month, by day, not at all, or clustered by date.

    python benchmarks/silver_layout.py [--rows 500000]

Each layout gets the same batches: a backlog of 400 days in date order in four batches, ten live batches of today, and a
late batch with rows of every day. Printed per layout: seconds of each, files in the end, and the total as a ratio to
the month layout's.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace

from delta.tables import DeltaTable
from pyspark.sql import DataFrame, SparkSession

from data_lake.delta_tables import ensure_table
from data_lake.spark import session
from data_lake.table import Table
from data_lake.tables import silver as silver_table
from stream_processing.spark_streaming.app import CONF
from stream_processing.spark_streaming.silver.insert import insert_new
from stream_processing.spark_streaming.silver.summary import BatchSummary
from tidemill.config import Settings, load_settings

DAYS = 400
BACKLOG, LIVE, LIVE_ROWS, LATE_ROWS = 4, 10, 2_000, 20_000
SILVER = silver_table("shop.click.v1")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=500_000, help="rows of the backlog (default 500,000)")
    rows = parser.parse_args().rows
    layouts: dict[str, Callable[[SparkSession, Table, Settings], None]] = {
        "month": ensure_table,
        "day": lambda spark, table, settings: ensure_table(spark, _partitioned(table, "event_date"), settings),
        "none": lambda spark, table, settings: ensure_table(spark, _partitioned(table), settings),
        "clustered": _create_clustered,
    }
    with tempfile.TemporaryDirectory(prefix="tidemill-silver-layout-") as home:
        settings = load_settings({"TIDEMILL_HOME": home})
        spark = session("silver-layout", settings, CONF)
        measure(spark, replace(SILVER, name="silver/warm-up"), settings, ensure_table, min(rows, 50_000))
        results = {
            name: measure(spark, replace(SILVER, name=f"silver/{name}"), settings, create, rows)
            for name, create in layouts.items()
        }
        spark.stop()
    base = results["month"]["total_s"]
    print(json.dumps({n: {**r, "ratio_to_month": round(r["total_s"] / base, 2)} for n, r in results.items()}, indent=2))


def measure(
    spark: SparkSession,
    table: Table,
    settings: Settings,
    create: Callable[[SparkSession, Table, Settings], None],
    rows: int,
) -> dict[str, float]:
    """Seconds of the backlog, of a live batch and of the late batch, and how many files the table ends with."""
    create(spark, table, settings)
    share, days = rows // BACKLOG, DAYS // BACKLOG
    backlog = [_batch(spark, f"b{n}", share, n * days, days) for n in range(BACKLOG)]
    live = [_batch(spark, f"l{n}", LIVE_ROWS, DAYS, 1) for n in range(LIVE)]
    late = [_batch(spark, "late", LATE_ROWS, 0, DAYS)]
    parts = [sum(_insert(one, table, settings) for one in part) for part in (backlog, live, late)]
    files = len(spark.read.format("delta").load(table.path(settings)).inputFiles())
    return {
        "backlog_s": round(parts[0], 2),
        "live_batch_s": round(parts[1] / LIVE, 2),
        "late_s": round(parts[2], 2),
        "total_s": round(sum(parts), 2),
        "files": files,
    }


def _insert(batch: DataFrame, table: Table, settings: Settings) -> float:
    first, last, months = batch.selectExpr("min(event_date)", "max(event_date)", "collect_set(event_month)").collect()[
        0
    ]
    files = BatchSummary(1, 0, tuple(sorted(months)), first, last, ()).silver_files()
    started = time.monotonic()
    insert_new(batch, table, files, settings)
    return time.monotonic() - started


def _batch(spark: SparkSession, name: str, rows: int, first_day: int, days: int) -> DataFrame:
    """Rows of silver's columns, evenly over ``days`` from ``first_day``, in the order of their dates."""
    made = spark.range(rows).selectExpr(
        f"sha2(concat('{name}', id), 256) AS event_id",
        f"timestamp_seconds(1600000000 + ({first_day} + id * {days} DIV {rows}) * 86400) AS event_time",
        "concat('session', id) AS session_id",
        "concat('customer', id % 5000) AS customer_id",
        "'view' AS kind",
        "concat('product', id % 400) AS product_id",
        "concat('/product/', id % 400) AS page",
        "'mobile' AS device",
        "'urn:benchmark' AS source",
        "1 AS _generation",
        "xxhash64(id) AS _digest",
        "0 AS _partition",
        "id AS _offset",
        "current_timestamp() AS broker_time",
        "current_timestamp() AS ingested_at",
    )
    made = made.selectExpr(
        "*", "to_date(event_time) AS event_date", "date_format(event_time, 'yyyy-MM') AS event_month"
    )
    return made.select([column.name for column in SILVER.columns])


def _partitioned(table: Table, *columns: str) -> Table:
    return replace(table, partition_by=columns)


def _create_clustered(spark: SparkSession, table: Table, settings: Settings) -> None:
    builder = DeltaTable.createIfNotExists(spark).location(table.path(settings)).clusterBy("event_date")
    for column in table.columns:
        builder = builder.addColumn(column.name, column.sql_type, nullable=column.nullable)
    for key, value in table.properties.items():
        builder = builder.property(key, value)
    builder.execute()


if __name__ == "__main__":
    main()
