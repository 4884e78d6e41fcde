"""What the gold jobs have in common: a session, one JSON line as the last of standard output, an exit status."""

import json
import logging
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import click
from pyspark.sql import SparkSession

from batch_processing.incremental import Pending
from config import load_settings
from config.errors import TidemillError
from config.settings import Settings
from data_lake.spark import session


@dataclass(frozen=True)
class Outcome:
    """What a run did.

    ``rows`` written; ``dates`` recomputed (None: all); ``source_version`` the version of ``source`` the table now
    stands for; ``reason`` why so much, or why nothing.
    """

    table: str
    rows: int
    dates: int | None
    source: str
    source_version: int
    reason: str


def outcome(table: str, work: Pending, rows: int, dates: int | None) -> Outcome:
    return Outcome(table, rows, dates, work.note.source, work.note.source_version, work.reason)


def run(name: str, work: Callable[[SparkSession, Settings], Outcome]) -> None:
    """Run ``work`` in a session of its own and exit: 0, or the status of its error."""
    started = time.monotonic()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("py4j").setLevel(logging.WARNING)
    try:
        settings = load_settings()
        spark = session(name, settings)
        try:
            done = work(spark, settings)
        finally:
            spark.stop()
    except TidemillError as error:
        click.echo(f"{name}: {error}", err=True)
        sys.exit(error.exit_status)
    click.echo(json.dumps(asdict(done) | {"seconds": round(time.monotonic() - started, 1)}))
