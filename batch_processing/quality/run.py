"""Judges tables by their suites; a critical failure that stands ends it with an error.

Run by spark-submit, as ``tidemill quality run [TABLE]... [--full]`` does: one job, table after table.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import click
from pyspark.sql import SparkSession

from batch_processing.incremental import SourceMissingError
from batch_processing.quality.check import Checked, check
from batch_processing.quality.gate import refuse
from batch_processing.quality.judging import Outcome
from data_lake.expectations import Severity, suites_of
from data_lake.job import run
from tidemill.config.settings import Settings

TOLD = 50
"""At most so many failures of a table are lines of the log, the newest; all are in the table of results."""


@dataclass(frozen=True)
class Judged:
    """What was done for a table. ``dates`` judged (None: all of them), and how many expectations of dates fail."""

    table: str
    dates: int | None
    source_version: int
    reason: str
    critical: int
    warnings: int


@dataclass(frozen=True)
class Done:
    tables: tuple[Judged, ...]


def judge_tables(spark: SparkSession, settings: Settings, names: Sequence[str], now: datetime, full: bool) -> Done:
    """Judge each table that exists.

    Raises:
        NotAsExpectedError: one of them fails a critical expectation, now or since before.
    """
    return tell([done for name in names if (done := _checked(spark, settings, name, now, full))])


def tell(checked: Sequence[Checked]) -> Done:
    """Print what fails of each table.

    Raises:
        NotAsExpectedError: one of them fails a critical expectation.
    """
    for done in checked:
        failed = [result for result in done.standing if result.outcome == Outcome.FAILED]
        for result in failed[-TOLD:]:
            click.echo(f"{result.severity}: {result.table_name}: {result}")
    refuse([result for done in checked for result in done.stops])
    return Done(tuple(map(_judged, checked)))


def _checked(spark: SparkSession, settings: Settings, name: str, now: datetime, full: bool) -> Checked | None:
    try:
        return check(spark, settings, suites_of(name), now, full)
    except SourceMissingError as error:  # nothing came yet, so there is nothing to expect
        click.echo(str(error))
        return None


def _judged(done: Checked) -> Judged:
    failed = [result.severity for result in done.standing if result.outcome == Outcome.FAILED]
    counts = failed.count(Severity.CRITICAL), failed.count(Severity.WARNING)
    return Judged(done.table, done.dates, done.source_version, done.reason, *counts)


@click.command()
@click.argument("names", metavar="TABLE...", nargs=-1, required=True)
@click.option("--full", is_flag=True, help="Judge every date, not only those that changed.")
def main(names: tuple[str, ...], full: bool) -> None:
    """Judge each TABLE by its suites; the last line printed is a JSON object."""
    now = datetime.now(UTC)
    run("data_quality", lambda spark, settings: judge_tables(spark, settings, names, now, full))


if __name__ == "__main__":
    main()
