"""What every job of spark-submit has in common: a session, one JSON line as the last of stdout, an exit status."""

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

import click
from pyspark.sql import SparkSession

from data_lake.spark import session
from tidemill.config import load_settings, strict_json
from tidemill.config.errors import TidemillError
from tidemill.config.settings import Settings

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def run(name: str, work: "Callable[[SparkSession, Settings], DataclassInstance]") -> None:
    """:func:`report` what ``work`` does in a session of its own."""

    def in_session(settings: Settings) -> "DataclassInstance":
        with stopped_session(name, settings) as spark:
            return work(spark, settings)

    report(name, in_session)


def report(name: str, work: "Callable[[Settings], DataclassInstance]") -> None:
    """Run ``work`` and print what it returns and its ``seconds``.

    An expected error is one sentence and ends the process with the error's status. What is written to stderr here,
    spark-submit puts on stdout, so the JSON line is the last, not the only one.
    """
    started = time.monotonic()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    try:
        done = work(load_settings())
    except TidemillError as error:
        click.echo(f"{name}: {error}", err=True)
        sys.exit(error.exit_status)
    click.echo(strict_json.dumps(asdict(done) | {"seconds": round(time.monotonic() - started, 1)}))


@contextmanager
def stopped_session(name: str, settings: Settings) -> Iterator[SparkSession]:
    """A session that is stopped at the end."""
    spark = session(name, settings)
    try:
        yield spark
    finally:
        spark.stop()
