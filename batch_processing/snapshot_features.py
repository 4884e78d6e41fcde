"""The features of a customer at the start of a day, for many days at once.

The naive way looks back over each customer's year once for every snapshot. Here every bought thing is looked at
once: it enters a running total on the day after it happened and leaves it when its window has passed, and a feature
at a day is the running total there. Cost: linear in events plus snapshot rows, whatever the windows. All sums are
DECIMAL, so what enters and leaves cancels exactly.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from functools import reduce

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F  # noqa: N812

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
    # What a customer returned before the first purchase counts from the first snapshot on.
    since_first = F.greatest("day", F.date_add("first_day", 1)).alias("day")
    changes = steps(days).join(customers, "customer_id").select("customer_id", since_first, "measure", "amount")
    so_far = Window.partitionBy("customer_id").orderBy("snapshot_date")
    totals = [F.sum(F.coalesce(F.col(name), F.lit(0))).over(so_far).alias(name) for name in MEASURES]
    kept = rows.join(_on_snapshot_dates(spark, changes, dates), ["customer_id", "snapshot_date"], "left")
    return _features(kept.select("customer_id", "snapshot_date", "first_day", *totals))


def steps(days: DataFrame) -> DataFrame:
    """What each customer-day adds to a measure on some day, and takes from it on a later one.

    Columns: ``customer_id``, ``day``, ``measure``, ``amount`` DECIMAL(38,4).
    """
    sums = [
        *_sliding("monetary", F.col("net_value"), 30, 90, 365),
        *_sliding("returns", F.col("returned_value"), 90, 365),
        *_sliding("gross", F.col("gross_value"), 365),
    ]
    orders = _occurrences(days, F.explode("order_ids"))
    products = _occurrences(days, F.explode("product_ids"))
    parts = (
        _inlined(days, sums),
        _inlined(orders, _distinct("frequency", 30, 90, 365)),
        _inlined(products, _distinct("products", 365)),
        _inlined(_purchase_days(days), [_step(1, "purchase_days", F.lit(1)), _step(1, "span_days", F.col("gap"))]),
        _inlined(_first_uses(days), [_step(1, "currencies", F.lit(1))]),
    )
    return reduce(DataFrame.unionAll, parts)


def _sliding(measure: str, amount: Column, *windows: int) -> Iterator[Column]:
    """``amount`` counts on as many days after its own as the window has."""
    for window in windows:
        yield _step(1, f"{measure}_{window}d", amount)
        yield _step(window + 1, f"{measure}_{window}d", -amount)


def _distinct(measure: str, *windows: int) -> Iterator[Column]:
    """An item counts once: for the window's days, or until it occurs again, when that occurrence takes over."""
    again = F.date_diff("following", "event_date")
    for window in windows:
        yield _step(1, f"{measure}_{window}d", F.lit(1))
        yield _step(F.least(F.lit(window), again) + 1, f"{measure}_{window}d", F.lit(-1))


def _step(days_later: int | Column, measure: str, amount: Column) -> Column:
    day = F.date_add("event_date", days_later).alias("day")
    return F.struct(day, F.lit(measure).alias("measure"), amount.cast("decimal(38,4)").alias("amount"))


def _inlined(rows: DataFrame, entries: Iterable[Column]) -> DataFrame:
    return rows.select("customer_id", F.inline(F.array(*entries)))


def _occurrences(days: DataFrame, item: Column) -> DataFrame:
    """The days an item occurred on, each with the next one (``following``, null for the last)."""
    once = days.select("customer_id", "event_date", item.alias("item")).distinct()
    by_item = Window.partitionBy("customer_id", "item").orderBy("event_date")
    return once.withColumn("following", F.lead("event_date").over(by_item))


def _purchase_days(days: DataFrame) -> DataFrame:
    """The days with a purchase, each with the days since the one before (``gap``, 0 for the first)."""
    bought = days.where(F.size("order_ids") > 0).select("customer_id", "event_date").distinct()
    previous = F.lag("event_date").over(Window.partitionBy("customer_id").orderBy("event_date"))
    return bought.withColumn("gap", F.coalesce(F.date_diff("event_date", previous), F.lit(0)))


def _first_uses(days: DataFrame) -> DataFrame:
    """The first day of each currency a customer has used."""
    return days.groupBy("customer_id", "currency").agg(F.min("event_date").alias("event_date"))


def _on_snapshot_dates(spark: SparkSession, changes: DataFrame, dates: Sequence[date]) -> DataFrame:
    """Steps summed on the snapshot day that first sees them, one column a measure; later ones fall away."""
    seen_by = spark.createDataFrame(list(_first_snapshot_of(dates)), "day DATE, snapshot_date DATE")
    early = F.greatest("day", F.lit(min(dates, default=date.max)))
    dated = changes.withColumn("day", early).join(F.broadcast(seen_by), "day")
    sums = [F.sum(F.when(F.col("measure") == name, F.col("amount"))).alias(name) for name in MEASURES]
    return dated.groupBy("customer_id", "snapshot_date").agg(*sums)


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
        "gap_mean_days": F.col("span_days").cast("double") / F.nullif(F.col("purchase_days") - 1, F.lit(0)),
    }
    values = [value.cast("double").alias(name) for name, value in columns.items() if name != "gross_365d"]
    moment = F.col("snapshot_date").cast("timestamp").alias("snapshot_time")
    return totals.select("snapshot_date", moment, "customer_id", *values)
