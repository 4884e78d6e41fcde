"""A gold table with one group of rows a day of transactions: the days that changed in silver are recomputed."""

from collections.abc import Callable
from dataclasses import dataclass

from pyspark.sql import DataFrame, SparkSession

from batch_processing.gold_table import replace
from batch_processing.incremental import Derivation, in_dates, pending, read_source
from batch_processing.outcome import Outcome, outcome
from data_lake.delta_tables import ensure_table
from data_lake.tables import silver, table
from tidemill.config.settings import Settings

TRANSACTIONS = "shop.transaction.v1"


@dataclass(frozen=True)
class Daily:
    """A gold table whose rows of a day come from the transactions of that day alone.

    ``revision`` is raised when ``compute`` changes its meaning: the next run then recomputes every day.
    """

    table: str
    revision: int
    compute: Callable[[DataFrame], DataFrame]


def refresh(spark: SparkSession, settings: Settings, daily: Daily, full: bool) -> Outcome:
    """Bring ``daily`` up to silver's transactions; commits nothing when no day changed.

    Raises:
        SourceMissingError: silver does not exist yet.
        ConcurrentRunError: another run wrote the table meanwhile.
    """
    source, target = silver(TRANSACTIONS), table(daily.table)
    work = pending(spark, settings, Derivation(source, target, {"revision": daily.revision}), full)
    if work.is_nothing:
        return outcome(daily.table, work, rows=0, dates=0)
    transactions = read_source(spark, settings, source, work)
    where = None if work.dates is None else in_dates("event_date", work.dates)
    if where is not None:
        transactions = transactions.where(where)
    ensure_table(spark, target, settings)
    rows = replace(settings, target, daily.compute(transactions), where, work.note)
    return outcome(daily.table, work, rows, None if work.dates is None else len(work.dates))
