"""``tidemill quality``: are the tables as they are expected to be?"""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tidemill.commands.times import DAY
from tidemill.config import load_settings, strict_json
from tidemill.config.errors import TerminalError, nearest
from tidemill.tables import print_table, table

if TYPE_CHECKING:
    from batch_processing.quality.results import Result
    from data_lake.expectations import Suite

HEAD = ("date", "table", "suite", "expectation", "kind", "severity", "outcome", "observed", "expected", "why")
SHOWN = 200


class NoSuiteError(TerminalError):
    """A table of which nothing is expected."""


@click.group(name="quality")
def command() -> None:
    """Judge tables by their suites of expectations, and show what was found; only `run` starts a JVM."""


@command.command()
@click.argument("names", metavar="[TABLE]...", nargs=-1)
@click.option("--use-case", help="The tables that this use case learns from.")
@click.option("--full", is_flag=True, help="Judge every date, not only those that changed.")
def run(names: tuple[str, ...], use_case: str | None, full: bool) -> None:
    """Judge each TABLE, such as silver/transactions, by its suites; all tables that have one if none is named.

    Dates that changed since it was judged last are judged; the last line printed is a JSON object. The exit status is 1
    while a critical expectation fails on any date. The process becomes spark-submit, so that its exit status and its
    signals are the job's.
    """
    from batch_processing.quality.run import tell
    from batch_processing.quality.unchanged import judged_already
    from data_lake.job import report
    from data_lake.spark import become_spark_submit
    from tidemill.config.installation import REPO

    judged = _tables_of(use_case) if use_case else _tables(names)
    if not judged:
        click.echo(strict_json.dumps({"tables": []}))
        return
    settings = load_settings()
    checked = None if full else judged_already(settings, judged, datetime.now(UTC))
    if checked is not None:
        report("data_quality", lambda _: tell(checked))
        return
    job = REPO / "batch_processing" / "quality" / "run.py"
    become_spark_submit(settings, job, [*judged, *(["--full"] if full else [])])


@command.command()
@click.argument("names", metavar="[TABLE]...", nargs=-1)
@click.option("--all", "all_outcomes", is_flag=True, help="Also what is as expected.")
@click.option("--from", "begin", type=DAY, help="Dates from this one on.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def show(names: tuple[str, ...], all_outcomes: bool, begin: "date | None", as_json: bool) -> None:
    """Show what is not as expected of each TABLE, or of all: the newest judgement of each date, the newest first."""
    results = [result for result in _standing(_tables(names)) if all_outcomes or result.outcome == "failed"]
    shown = [result for result in results if begin is None or f"{result.event_date}" >= f"{begin:%Y-%m-%d}"]
    if as_json:
        click.echo(strict_json.dumps([asdict(result) for result in shown], default=str))
        return
    newest = sorted(shown, key=lambda result: result.event_date, reverse=True)
    print_table(table(HEAD, [_line(result) for result in newest[:SHOWN]]))
    if len(newest) > SHOWN:
        click.echo(f"and {len(newest) - SHOWN:,} more: --from, --json", err=True)


@command.command()
@click.argument("names", metavar="[TABLE]...", nargs=-1)
@click.option("--to", "folder", type=click.Path(file_okay=False, path_type=Path), help="Write the pages here.")
@click.option("--open", "is_opened", is_flag=True, help="Open them in the browser.")
def docs(names: tuple[str, ...], folder: Path | None, is_opened: bool) -> None:
    """Write Great Expectations' data docs of what stands as static pages, and print where; they ask no other host."""
    from batch_processing.quality.docs import write_docs
    from batch_processing.quality.results import standing

    settings = load_settings()
    suites = [suite for name in _tables(names) for suite in _suites(name)]
    index = write_docs(folder or settings.home / "quality", suites, standing(settings, suites))
    click.echo(index.resolve().as_uri())
    if is_opened:
        click.launch(index.resolve().as_uri())


def _line(result: "Result") -> tuple[str, ...]:
    named = (f"{result.event_date}", result.table_name, result.suite, result.expectation, result.kind, result.severity)
    return (*named, result.outcome, result.number, result.wanted, result.why or "")


def _standing(names: Sequence[str]) -> "list[Result]":
    from batch_processing.quality.results import standing

    return standing(load_settings(), [suite for name in names for suite in _suites(name)])


def _suites(name: str) -> "list[Suite]":
    from data_lake.expectations import suites_of

    return suites_of(name)


def _tables(names: Sequence[str]) -> list[str]:
    """``names``, each with a suite; all that have one when empty."""
    from data_lake.expectations import tables_with_suites

    known = tables_with_suites()
    for name in names:
        if name not in known:
            raise NoSuiteError(f"nothing is expected of {name!r}: no suite is about it{nearest(name, known)}")
    return list(dict.fromkeys(names)) or known


def _tables_of(use_case: str) -> list[str]:
    from data_lake.expectations import tables_with_suites
    from ml_modeling.tables_read import tables_read
    from ml_modeling.use_case import load_use_case

    known = tables_with_suites()
    return [name for name in tables_read(load_use_case(use_case)) if name in known]
