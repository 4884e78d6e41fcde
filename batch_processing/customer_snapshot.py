"""``gold/customer_snapshot``: each customer's features at the start of a day, from the events before it.

Run by spark-submit: ``tidemill submit batch_processing/customer_snapshot.py [--full] [--every DAYS]``.
docs/features.md defines the features.
"""

import click
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from batch_processing.gold_table import replace
from batch_processing.incremental import Derivation, Pending, pending, read_source
from batch_processing.outcome import Outcome, outcome
from batch_processing.snapshot_dates import Plan, grid, plan
from batch_processing.snapshot_features import snapshots
from config.settings import Settings
from data_lake.delta_tables import ensure_table
from data_lake.job import run
from data_lake.tables import table
from feature_store.views import CUSTOMER_SNAPSHOT

SOURCE = table("gold/customer_daily")
TARGET = table("gold/customer_snapshot")
REVISION = 1


def refresh(spark: SparkSession, settings: Settings, every: int, full: bool) -> Outcome:
    """Bring the snapshots up to ``gold/customer_daily``; commits nothing when no day changed.

    Raises:
        SourceMissingError: gold/customer_daily does not exist yet.
        ConcurrentRunError: another run wrote the table meanwhile.
    """
    derivation = Derivation(SOURCE, TARGET, {"revision": REVISION, "every": every})
    work = pending(spark, settings, derivation, full)
    if work.is_nothing:
        return outcome(TARGET.name, work, rows=0, dates=0)
    days = read_source(spark, settings, SOURCE, work)
    ensure_table(spark, TARGET, settings)
    todo = _plan(spark, settings, days, work, every)
    if work.dates is not None and todo.is_nothing:
        return outcome(TARGET.name, work, rows=0, dates=0)
    where = None if work.dates is None else f"snapshot_date >= DATE'{todo.since}'"
    rows = replace(settings, TARGET, snapshots(days, todo.recompute), where, work.note)
    return outcome(TARGET.name, work, rows, None if work.dates is None else len(todo.recompute))


def _plan(spark: SparkSession, settings: Settings, days: DataFrame, work: Pending, every: int) -> Plan:
    first, newest = days.agg(F.min("event_date"), F.max("event_date")).head()  # type: ignore[misc]
    wanted = grid(first, newest, every) if first is not None else ()
    snapshot = spark.read.format("delta").load(TARGET.path(settings))
    existing = [row["snapshot_date"] for row in snapshot.select("snapshot_date").distinct().collect()]
    return plan(wanted, existing, work.dates)


@click.command()
@click.option("--full", is_flag=True, help="Recompute every snapshot, not only those that changes made stale.")
@click.option(
    "--every",
    type=click.IntRange(1, CUSTOMER_SNAPSHOT.ttl.days),
    default=7,
    show_default=True,
    help="Days between snapshots; the newest complete day always has one.",
)
def main(full: bool, every: int) -> None:
    """Bring gold/customer_snapshot up to gold/customer_daily; the last line printed is a JSON object."""
    run(TARGET.name, lambda spark, settings: refresh(spark, settings, every, full))


if __name__ == "__main__":
    main()
