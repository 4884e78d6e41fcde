"""``tidemill models score``."""

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING

import click

from tidemill.commands.times import TIME
from tidemill.config import load_settings, strict_json

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from pyspark.sql import SparkSession

    from batch_processing.scoring.score import Scored
    from tidemill.config import Settings


@click.command()
@click.argument("use_case")
@click.option("--at", type=TIME, help="Entities as of this time, UTC. [default: now]")
@click.option("--from", "begin", type=TIME, help="Events from this time on, UTC.")
@click.option("--to", "end", type=TIME, help="Events before this time, UTC.")
@click.option("--version", help="The version that scores. [default: the champion]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def score(  # noqa: PLR0913, PLR0917 - the options of one command
    use_case: str,
    at: datetime | None,
    begin: datetime | None,
    end: datetime | None,
    version: str | None,
    as_json: bool,
) -> None:
    """Score everybody of USE_CASE into gold/scores: what the server would answer about each at the same time.

    Of a question about events, all those of a range (--from, --to), each at its own time. What is there already, of the
    same time, model and tables, is not done again.
    """
    from batch_processing.scoring.score import score as score_all
    from batch_processing.scoring.window import window_of
    from ml_modeling.use_case import load_use_case

    settings, defined = load_settings(), load_use_case(use_case)
    window = window_of(use_case, defined.question, at, begin, end)
    done = score_all(settings, defined, window, version, lambda: _session(use_case, settings))
    click.echo(strict_json.dumps(asdict(done)) if as_json else _told(done))


def _session(use_case: str, settings: "Settings") -> "AbstractContextManager[SparkSession]":
    from contextlib import contextmanager

    from batch_processing.scoring.progress import shown
    from data_lake.job import stopped_session

    @contextmanager
    def opened() -> "Iterator[SparkSession]":
        with stopped_session(f"score {use_case}", settings) as spark, shown(spark, f"scoring {use_case}"):
            yield spark

    return opened()


def _told(done: "Scored") -> str:
    model = f"version {done.version} of {done.use_case}, model {done.model_id} of run {done.run_id}"
    if not done.is_new:
        return f"{model}: {done.rows:,} rows are in gold/scores already, of the same time, model and tables"
    return f"{model}: {done.rows:,} rows into gold/scores in {done.scoring_s:.1f} s, {done.rows_a_second:,.0f} a second"
