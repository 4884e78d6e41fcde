"""The features of a customer at the start of a day, for many days at once.

The naive way looks back over each customer's year once for every snapshot. Here every bought thing is looked at
once: it enters a running total on the day after it happened and leaves it when its window has passed, and a feature
at a day is the running total there. Cost: linear in events plus snapshot rows, whatever the windows. All sums are
DECIMAL, so what enters and leaves cancels exactly.
"""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from functools import reduce

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F  # noqa: N812

STEP = "customer_id STRING, day DATE, measure STRING, amount DECIMAL(38,4)"
MEASURES = (
    "currencies",
    "purchase_days",
    "span_days",
    "frequency_30d",
    "frequency_90d",
    "frequency_365d",
    "monetary_30d",
    "monetary_90d",
    "monetary_365d",
    "gross_365d",
    "returns_90d",
    "returns_365d",
    "products_365d",
)
MONEY = ("monetary_30d", "monetary_90d", "monetary_365d", "gross_365d", "returns_90d", "returns_365d")


def snapshots(days: DataFrame, dates: Sequence[date]) -> DataFrame:
    """Rows of ``gold/customer_snapshot`` for ``dates`` from rows of ``gold/customer_daily``.

    A customer is in the snapshots after the first purchase. Money is null for a customer who has used two currencies.
    """
    spark = days.sparkSession
    purchases = days.where(F.size("order_ids") > 0)
    customers = purchases.groupBy("customer_id").agg(F.min("event_date").alias("first_day"))
    snapshot_dates = spark.createDataFrame([(day,) for day in dates], "snapshot_date DATE")
    rows = customers.join(F.broadcast(snapshot_dates), F.col("snapshot_date") > F.col("first_day"))
    changes = _on_snapshot_dates(spark, steps(days), dates)
    so_far = Window.partitionBy("customer_id").orderBy("snapshot_date")
    totals = [F.sum(F.coalesce(F.col(name), F.lit(0))).over(so_far).alias(name) for name in MEASURES]
    kept = rows.join(changes, ["customer_id", "snapshot_date"], "left")
    return _features(kept.select("customer_id", "snapshot_date", "first_day", *totals))


def steps(days: DataFrame) -> DataFrame:
    """What each customer-day adds to a measure on some day and takes from it on a later one, as rows of ``STEP``."""
    return reduce(DataFrame.unionAll, _steps(days))


def _steps(days: DataFrame) -> Iterator[DataFrame]:
    for window in (30, 90, 365):
        yield from _sliding(days, f"monetary_{window}d", F.col("net_value"), window)
    for window in (90, 365):
        yield from _sliding(days, f"returns_{window}d", F.col("returned_value"), window)
    yield from _sliding(days, "gross_365d", F.col("gross_value"), 365)
    orders = days.select("customer_id", "event_date", F.explode("order_ids").alias("item"))
    for window in (30, 90, 365):
        yield from _distinct(orders, f"frequency_{window}d", window)
    products = days.select("customer_id", "event_date", F.explode("product_ids").alias("item"))
    yield from _distinct(products, "products_365d", 365)
    yield _first(days.select("customer_id", "event_date", F.col("currency").alias("item")), "currencies")
    yield from _purchase_days(days)


def _sliding(days: DataFrame, measure: str, amount: Column, window: int) -> Iterator[DataFrame]:
    """``amount`` counts on the ``window`` days after its own."""
    yield _step(days, F.date_add("event_date", 1), measure, amount)
    yield _step(days, F.date_add("event_date", window + 1), measure, -amount)


def _distinct(items: DataFrame, measure: str, window: int) -> Iterator[DataFrame]:
    """Each item counts once, for ``window`` days or until it occurs again, when that occurrence takes over."""
    following = F.lead("event_date").over(Window.partitionBy("customer_id", "item").orderBy("event_date"))
    once = items.distinct().withColumn("following", following)
    yield _step(once, F.date_add("event_date", 1), measure, F.lit(1))
    until = F.least(F.date_add("event_date", window), F.col("following"))
    yield _step(once, F.date_add(until, 1), measure, F.lit(-1))


def _first(items: DataFrame, measure: str) -> DataFrame:
    """Each item counts once, for ever."""
    first = items.groupBy("customer_id", "item").agg(F.min("event_date").alias("event_date"))
    return _step(first, F.date_add("event_date", 1), measure, F.lit(1))


def _purchase_days(days: DataFrame) -> Iterator[DataFrame]:
    """How many days had a purchase, and how many days lie between the first and the last of them."""
    previous = F.lag("event_date").over(Window.partitionBy("customer_id").orderBy("event_date"))
    bought = days.where(F.size("order_ids") > 0).select("customer_id", "event_date").distinct()
    spaced = bought.withColumn("gap", F.coalesce(F.date_diff("event_date", previous), F.lit(0)))
    yield _step(spaced, F.date_add("event_date", 1), "purchase_days", F.lit(1))
    yield _step(spaced, F.date_add("event_date", 1), "span_days", F.col("gap"))


def _step(rows: DataFrame, day: Column, measure: str, amount: Column) -> DataFrame:
    return rows.select(
        "customer_id", day.alias("day"), F.lit(measure).alias("measure"), amount.cast("decimal(38,4)").alias("amount")
    )


def _on_snapshot_dates(spark: SparkSession, changes: DataFrame, dates: Sequence[date]) -> DataFrame:
    """Steps summed on the snapshot day that first sees them, one column a measure; later ones fall away."""
    seen_by = spark.createDataFrame(list(_first_snapshot_of(dates)), "day DATE, snapshot_date DATE")
    early = F.greatest("day", F.lit(min(dates, default=date.max)))
    dated = changes.withColumn("day", early).join(F.broadcast(seen_by), "day")
    return dated.groupBy("customer_id", "snapshot_date").pivot("measure", list(MEASURES)).agg(F.sum("amount"))


def _first_snapshot_of(dates: Sequence[date]) -> Iterator[tuple[date, date]]:
    """For each day from the first to the last of the ascending ``dates``, the first of them not before it."""
    start = min(dates, default=date.max)
    for snapshot in dates:
        while start <= snapshot:
            yield start, snapshot
            start += timedelta(days=1)


def _features(totals: DataFrame) -> DataFrame:
    has_one_currency = F.col("currencies") <= 1
    money = {name: F.when(has_one_currency, F.col(name).cast("double")) for name in MONEY}
    counted = ("frequency_30d", "frequency_90d", "frequency_365d", "products_365d")
    tenure = F.date_diff("snapshot_date", "first_day")
    columns = {
        "recency_days": tenure - F.col("span_days"),
        "tenure_days": tenure,
        **{name: F.col(name) for name in counted},
        **money,
        "basket_mean_365d": money["gross_365d"] / F.nullif("frequency_365d", F.lit(0)),
        "gap_mean_days": F.col("span_days") / F.nullif(F.col("purchase_days") - 1, F.lit(0)),
    }
    values = [value.cast("double").alias(name) for name, value in columns.items() if name != "gross_365d"]
    moment = F.col("snapshot_date").cast("timestamp").alias("snapshot_time")
    return totals.select("snapshot_date", moment, "customer_id", *values)
