"""Parsed rows to the rows of the two tables they end in."""

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812

from data_lake.table import Table
from data_lake.tables import FIRST_GENERATION
from stream_processing.spark_streaming.silver.parse import DETAIL, MESSAGE, REASON
from tidemill.contracts.checker import Reason

LINEAGE = ("_generation", "_partition", "_offset")


def accepted(parsed: DataFrame, silver: Table, conflicts: DataFrame | None) -> DataFrame:
    """The good events, each once: of duplicates the one with the lowest generation, partition and offset.

    ``conflicts`` has the lineage of events to leave out.
    """
    valid = parsed.where(F.col(REASON).isNull())
    kept = valid if conflicts is None else valid.join(conflicts, [*LINEAGE], "left_anti")
    order = Window.partitionBy(*silver.keys).orderBy(*LINEAGE)
    first = kept.withColumn("_rank", F.row_number().over(order)).where("_rank = 1")
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


def conflicting(messages: DataFrame, quarantine: Table, conflicts: DataFrame) -> DataFrame:
    """The ``messages`` of ``conflicts``, which has lineage and detail, as they arrived."""
    place = [F.coalesce("generation", F.lit(FIRST_GENERATION)), F.col("partition"), F.col("offset")]
    placed = messages.withColumns(dict(zip(LINEAGE, place, strict=True)))
    taken = placed.join(conflicts.select(*LINEAGE, DETAIL), [*LINEAGE])
    return quarantined(taken, quarantine, Reason.CONFLICT, F.col(DETAIL))


def quarantined(messages: DataFrame, quarantine: Table, reason: Reason, detail: Column) -> DataFrame:
    """Bronze's ``messages`` as quarantine has them."""
    judged = {
        "generation": F.coalesce("generation", F.lit(FIRST_GENERATION)),
        "reason": F.lit(str(reason)),
        "detail": detail,
    }
    return messages.select([judged.get(c.name, F.col(c.name)).alias(c.name) for c in quarantine.columns])
