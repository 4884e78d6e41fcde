"""``gold/customer_daily``: what each known customer bought and returned a day.

Run by spark-submit: ``tidemill submit batch_processing/customer_daily.py [--full]``.
"""

import click
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

from batch_processing.daily import Daily, refresh
from batch_processing.transactions import IS_PURCHASE, IS_RETURN, event_month, total, value
from data_lake.job import run


def customer_daily(transactions: DataFrame) -> DataFrame:
    """Silver's order lines to one row a day, customer and currency; guests are left out.

    ``order_ids`` and ``product_ids`` are those of purchases, each once, in order.
    """
    known = transactions.where("customer_id IS NOT NULL")
    sums = known.groupBy("event_date", "customer_id", "currency").agg(
        F.array_sort(F.collect_set(F.when(F.expr(IS_PURCHASE), F.col("order_id")))).alias("order_ids"),
        F.array_sort(F.collect_set(F.when(F.expr(IS_PURCHASE), F.col("product_id")))).alias("product_ids"),
        total(F.col("quantity"), IS_PURCHASE).alias("units_bought"),
        total(F.col("quantity"), IS_RETURN).alias("units_returned"),
        total(value(), IS_PURCHASE).cast("decimal(38,4)").alias("gross_value"),
        total(value(), IS_RETURN).cast("decimal(38,4)").alias("returned_value"),
    )
    net = (F.col("gross_value") - F.col("returned_value")).alias("net_value")
    return sums.select("*", net, event_month().alias("event_month"))


DAILY = Daily("gold/customer_daily", revision=1, compute=customer_daily)


@click.command()
@click.option("--full", is_flag=True, help="Recompute every day, not only those that changed in silver.")
def main(full: bool) -> None:
    """Bring gold/customer_daily up to silver; the last line printed is a JSON object."""
    run(DAILY.table, lambda spark, settings: refresh(spark, settings, DAILY, full))


if __name__ == "__main__":
    main()
