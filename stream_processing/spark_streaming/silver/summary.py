"""What a batch holds, in one pass: how many rows go where, and which files of the tables could hold them already."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

from stream_processing.spark_streaming.silver.parse import MESSAGE, REASON


@dataclass(frozen=True)
class BatchSummary:
    """Counts of a parsed batch, and the months and dates of its rows."""

    accepted: int
    rejected: int
    months: tuple[str, ...]
    first_date: date | None
    last_date: date | None
    ingest_dates: tuple[date, ...]

    def silver_files(self) -> str:
        """SQL over target ``t``: true for every file of silver that can hold a key of this batch."""
        months = ", ".join(f"'{month}'" for month in self.months)
        return (
            f"t.event_month IN ({months}) AND t.event_date BETWEEN DATE'{self.first_date}' AND DATE'{self.last_date}'"
        )


def quarantine_files(ingest_dates: Iterable[date]) -> str:
    """SQL over target ``t``: true for every file of quarantine that can hold a message of these dates."""
    dates = ", ".join(f"DATE'{day}'" for day in sorted(ingest_dates))
    return f"t.ingest_date IN ({dates})"


def summarise(parsed: DataFrame) -> BatchSummary:
    """The summary of rows made by :func:`parse`; at most one row reaches the driver."""
    good = F.col(REASON).isNull()
    row = parsed.agg(
        F.count_if(good),
        F.count_if(~good),
        F.array_sort(F.collect_set(F.when(good, F.col("event_month")))),
        F.min(F.when(good, F.col("event_date"))),
        F.max(F.when(good, F.col("event_date"))),
        F.array_sort(F.collect_set(F.when(~good, F.col(f"{MESSAGE}ingest_date")))),
    ).collect()[0]
    accepted, rejected, months, first_date, last_date, ingest_dates = row
    return BatchSummary(accepted, rejected, tuple(months), first_date, last_date, tuple(ingest_dates))
