"""Joins what came true to the logged predictions, and measures the models by it.

Run by spark-submit, as ``tidemill models outcomes [USE_CASE] [--full]`` does. Of several use cases the trouble of one
does not stop the others: it is told at the end, by the exit status too.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

import click
from py4j.protocol import Py4JJavaError  # type: ignore[import-untyped]
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from batch_processing.incremental import SourceMissingError
from batch_processing.outcome import Outcome
from batch_processing.outcomes.join import Joined, join_outcomes, outcomes_table
from batch_processing.outcomes.performance import measure_days
from data_lake import commits
from data_lake.job import run
from ml_modeling.use_case import UseCase, load_use_case, use_case_names
from tidemill.config.errors import TerminalError, TidemillError, TransientError
from tidemill.config.settings import Settings

LOGGER = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True)
class Done:
    """What was joined, by use case; ``performance`` is None when none could be."""

    joined: tuple[Joined, ...]
    performance: Outcome | None


class OutcomesTerminalError(TerminalError):
    """Outcomes of some use cases could not be joined; those of all others are."""


class OutcomesTransientError(TransientError):
    """The same, where trying again may help."""


def outcomes(spark: SparkSession, settings: Settings, names: Sequence[str], now: datetime, full: bool) -> Done:
    """Join and measure the use cases called so.

    Raises:
        OutcomesTerminalError: the outcomes of one cannot be joined.
        OutcomesTransientError: trying again may help each that could not.
    """
    trouble: dict[str, Exception] = {}
    loaded = _each(dict.fromkeys([*use_case_names(), *names]), load_use_case, trouble)
    asked = [name for name in names if name in loaded]
    joined = _each(asked, lambda name: _joined(spark, settings, loaded[name], now, full), trouble)
    # Of all use cases: which days are to be measured is noted for the table as a whole.
    performance = measure_days(spark, settings, list(loaded.values()), full) if _is_there(settings) else None
    if told := {name: error for name, error in trouble.items() if name in names}:
        raise _told(told)
    return Done(tuple(joined.values()), performance)


def _joined(spark: SparkSession, settings: Settings, use_case: UseCase, now: datetime, full: bool) -> Joined:
    try:
        return join_outcomes(spark, settings, use_case, now, full)
    except SourceMissingError as error:  # nobody has asked it yet, or nothing happened
        return Joined(use_case.name, 0, 0, str(error))


def _is_there(settings: Settings) -> bool:
    return commits.exists(outcomes_table(), settings)


def _each(names: Iterable[str], work: Callable[[str], T], trouble: dict[str, Exception]) -> dict[str, T]:
    done = {}
    for name in names:
        try:
            done[name] = work(name)
        except (TidemillError, PySparkException, Py4JJavaError) as error:
            LOGGER.exception("outcomes of %s", name)
            trouble[name] = error
    return done


def _told(trouble: dict[str, Exception]) -> TidemillError:
    text = "; ".join(f"{name}: {error}" for name, error in trouble.items())
    if all(isinstance(error, TransientError) for error in trouble.values()):
        return OutcomesTransientError(text)
    return OutcomesTerminalError(text)


@click.command()
@click.argument("use_case", required=False)
@click.option("--full", is_flag=True, help="Judge every prediction again.")
@click.option("--json", "as_json", is_flag=True, help="Leave out the lines for people.")
def main(use_case: str | None, full: bool, as_json: bool) -> None:
    """Join what came true to the logged predictions of USE_CASE, or of all; the last line printed is a JSON object."""
    names = [use_case] if use_case else use_case_names()

    def work(spark: SparkSession, settings: Settings) -> Done:
        done = outcomes(spark, settings, names, datetime.now(UTC), full)
        for joined in () if as_json else done.joined:
            told = f"{joined.judged:,} predictions judged, {joined.changed:,} changed"
            click.echo(f"{joined.use_case}: {told} ({joined.reason})")
        return done

    run("prediction_outcomes", work)


if __name__ == "__main__":
    main()
