"""What an order line is worth and which side it is on: the expressions every gold table of transactions uses."""

from pyspark.sql import Column
from pyspark.sql import functions as F  # noqa: N812

IS_PURCHASE = "kind = 'purchase'"
IS_RETURN = "kind = 'return'"


def value() -> Column:
    """Quantity times unit price, exact: DECIMAL(29,4) of DECIMAL(10,0) and DECIMAL(18,4)."""
    return F.col("quantity").cast("decimal(10,0)") * F.col("unit_price")


def total(amount: Column, condition: str) -> Column:
    """The sum of ``amount`` over the rows where ``condition`` holds; 0 where none does."""
    return F.sum(F.when(F.expr(condition), amount).otherwise(F.lit(0)))


def event_month() -> Column:
    """The partition of a day, such as ``2011-12``."""
    return F.date_format("event_date", "yyyy-MM")
