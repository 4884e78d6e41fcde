"""Parsed rows to the rows of the two tables they end in."""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812

from data_lake.tables import Table
from stream_processing.spark_streaming.parse import DETAIL, MESSAGE, REASON


def accepted(parsed: DataFrame, silver: Table) -> DataFrame:
    """The good events, each id once: of duplicates the one with the lowest generation, partition and offset."""
    order = Window.partitionBy(*silver.keys).orderBy("_generation", "_partition", "_offset")
    first = parsed.where(F.col(REASON).isNull()).withColumn("_rank", F.row_number().over(order)).where("_rank = 1")
    return first.select([column.name for column in silver.columns])


def rejected(parsed: DataFrame, quarantine: Table) -> DataFrame:
    """The bad messages as they arrived, with reason and detail."""
    taken = {
        "generation": F.col("_generation"),
        "partition": F.col("_partition"),
        "offset": F.col("_offset"),
        "broker_time": F.col("broker_time"),
        "ingested_at": F.col("ingested_at"),
        "reason": F.col(REASON),
        "detail": F.col(DETAIL),
    }
    names = [column.name for column in quarantine.columns]
    columns = [taken.get(name, F.col(f"{MESSAGE}{name}")).alias(name) for name in names]
    return parsed.where(F.col(REASON).isNotNull()).select(columns)
