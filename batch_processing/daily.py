"""Brings a gold table up to silver: the days of its source that changed are recomputed.

Run by spark-submit, as ``tidemill lake refresh TABLE [--full]`` does; from a clone also as
``tidemill submit batch_processing/daily.py TABLE [--full]``.
"""

import click
from pyspark.sql import SparkSession

from batch_processing.gold_table import replace
from batch_processing.incremental import Derivation, in_dates, pending, read_source
from batch_processing.outcome import Outcome, outcome
from batch_processing.query import query_rows, refusals
from data_lake.delta_tables import ensure_table
from data_lake.gold import DAY, GoldTable, gold_table
from data_lake.job import run
from data_lake.tables import silver, table_of
from tidemill.config.settings import Settings


def refresh(spark: SparkSession, settings: Settings, declared: GoldTable, full: bool) -> Outcome:
    """Bring the gold table up to its source; commits nothing when no day changed.

    Raises:
        GoldTableError: Spark refuses the query, or what it gives is not what is declared; nothing is committed.
        SourceMissingError: silver does not exist yet.
        ConcurrentRunError: another run wrote the table meanwhile.
    """
    source, target = silver(declared.source), table_of(declared)
    work = pending(spark, settings, Derivation(source, target, {"revision": declared.revision}), full)
    if work.is_nothing:
        return outcome(target.name, work, rows=0, dates=0)
    events = read_source(spark, settings, source, work)
    where = None if work.dates is None else in_dates(DAY, work.dates)
    rows = query_rows(declared, target, events if where is None else events.where(where))
    ensure_table(spark, target, settings)
    with refusals(declared):
        written = replace(settings, target, rows, where, work.note.to_json())
    return outcome(target.name, work, written, None if work.dates is None else len(work.dates))


@click.command()
@click.argument("table")
@click.option("--full", is_flag=True, help="Recompute every day, not only those that changed in silver.")
def main(table: str, full: bool) -> None:
    """Bring the gold table TABLE up to silver; the last line printed is a JSON object."""
    name = f"gold/{table.removeprefix('gold/')}"
    run(name, lambda spark, settings: refresh(spark, settings, gold_table(table), full))


if __name__ == "__main__":
    main()
