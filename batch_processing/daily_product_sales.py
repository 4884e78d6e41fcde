"""``gold/daily_product_sales``: what each product sold and got back a day.

Run by spark-submit: ``tidemill submit batch_processing/daily_product_sales.py [--full]``.
"""

import click
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

from batch_processing.daily import Daily, refresh
from batch_processing.transactions import IS_PURCHASE, IS_RETURN, event_month, total, value
from data_lake.job import run


def daily_product_sales(transactions: DataFrame) -> DataFrame:
    """Silver's order lines to one row a day, product and currency; guests count, but not among ``customers``."""
    when_bought = F.when(F.expr(IS_PURCHASE), F.lit(True))
    sums = transactions.groupBy("event_date", "product_id", "currency").agg(
        F.count_distinct(F.when(when_bought, F.col("order_id"))).alias("orders"),
        F.count_distinct(F.when(when_bought, F.col("customer_id"))).alias("customers"),
        total(F.col("quantity"), IS_PURCHASE).alias("units_sold"),
        total(F.col("quantity"), IS_RETURN).alias("units_returned"),
        total(value(), IS_PURCHASE).cast("decimal(38,4)").alias("gross_revenue"),
        total(value(), IS_RETURN).cast("decimal(38,4)").alias("returned_value"),
    )
    net = (F.col("gross_revenue") - F.col("returned_value")).alias("net_revenue")
    return sums.select("*", net, event_month().alias("event_month"))


DAILY = Daily("gold/daily_product_sales", revision=1, compute=daily_product_sales)


@click.command()
@click.option("--full", is_flag=True, help="Recompute every day, not only those that changed in silver.")
def main(full: bool) -> None:
    """Bring gold/daily_product_sales up to silver; the last line printed is a JSON object."""
    run(DAILY.table, lambda spark, settings: refresh(spark, settings, DAILY, full))


if __name__ == "__main__":
    main()
