"""``tidemill lake``."""

import csv
import sys
from typing import TYPE_CHECKING, Any

import click

from tidemill.cells import csv_value, json_value, unique
from tidemill.config import load_settings, strict_json

if TYPE_CHECKING:
    import duckdb

ROWS_AT_ONCE = 10_000
SHOWN_ROWS = 100
WIDE = 200
UNBOUNDED = 1_000_000
"""The width of a pipe, in which nothing is cut."""


@click.group(name="lake")
def command() -> None:
    """List, describe, query and keep up the lake's tables; only `refresh` and `rejudge` start a JVM."""


@command.command(name="tables")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_tables(as_json: bool) -> None:
    """List the tables that exist: version, rows, bytes and path."""
    from data_lake.delta_rs import existing_tables, statistics

    settings = load_settings()
    found = [statistics(table, delta, settings).__dict__ for table, delta in existing_tables(settings)]
    if as_json:
        click.echo(strict_json.dumps(found, indent=2))
        return
    _print_table(["name", "version", "rows", "bytes", "path"], found)


@command.command()
@click.argument("table")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many commits.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def history(table: str, limit: int, as_json: bool) -> None:
    """Show the newest commits of TABLE, such as silver/transactions."""
    from data_lake.delta_rs import open_table
    from data_lake.history import commits
    from data_lake.tables import table as declared

    settings = load_settings()
    found = [commit.__dict__ for commit in commits(open_table(declared(table), settings), limit)]
    if as_json:
        click.echo(strict_json.dumps(found, indent=2, default=str))
        return
    _print_table(["version", "time", "operation", "rows_added", "rows_removed"], found)


@command.command()
@click.argument("query")
@click.option("--json", "form", flag_value="json", help="Print a JSON list of rows.")
@click.option("--csv", "form", flag_value="csv", help="Print CSV with a header.")
def sql(query: str, form: str | None) -> None:
    """Run QUERY with DuckDB; tables are called silver.transactions, quarantine."shop.click.v1", gold.customer_daily.

    It reads the lake's tables and nothing else, and writes nothing. As a table it shows the first 100 rows; --json and
    --csv print all.
    """
    from data_lake.sql import connect

    with connect(load_settings(), query) as connection:
        if form == "json":
            _print_json(connection.execute(query))
        elif form == "csv":
            _print_csv(connection.execute(query))
        elif (result := connection.sql(query)) is not None:
            width = WIDE if sys.stdout.isatty() else UNBOUNDED
            result.show(max_rows=SHOWN_ROWS, max_width=width, max_col_width=width)


@command.command()
@click.argument("names", metavar="[TABLE]...", nargs=-1)
@click.option(
    "--vacuum-hours", type=click.IntRange(min=168), default=168, show_default=True, help="Keep files so long."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def maintain(names: tuple[str, ...], vacuum_hours: int, as_json: bool) -> None:
    """Delete what retention no longer keeps, merge small files and remove unused ones; safe while the stream runs."""
    from deltalake.exceptions import DeltaError

    from data_lake.delta_rs import MissingTableError, open_table
    from data_lake.maintenance import UpkeepError
    from data_lake.maintenance import maintain as maintain_table
    from data_lake.tables import table as declared
    from data_lake.tables import tables
    from tidemill.config.errors import TidemillError

    settings = load_settings()
    done, refused = [], []
    for table in [declared(name) for name in names] or tables().values():
        try:
            delta = open_table(table, settings)
            click.echo(f"{table.name} ...", err=True)
            done.append(maintain_table(table, delta, vacuum_hours).__dict__)
        except MissingTableError:
            continue
        except (TidemillError, DeltaError, OSError) as error:
            refused.append(f"{table.name}: {error}")
    if as_json:
        click.echo(strict_json.dumps(done, indent=2))
    else:
        _print_table(["name", "rows_expired", "files_merged", "files_written", "files_removed"], done)
    if refused:
        raise UpkeepError("\n".join(refused))


@command.command()
@click.argument("table")
@click.option("--full", is_flag=True, help="Recompute every day, not only those that changed in silver.")
def refresh(table: str, full: bool) -> None:
    """Bring the gold table TABLE, such as customer_daily, up to silver; the last line printed is a JSON object.

    It is declared in use_cases/*/gold/TABLE.yaml. The process becomes spark-submit, so that its exit status and its
    signals are the job's.
    """
    from data_lake.gold import gold_table
    from data_lake.spark import become_spark_submit
    from tidemill.config.installation import REPO

    declared = gold_table(table)
    job = REPO / "batch_processing" / "daily.py"
    become_spark_submit(load_settings(), job, [declared.name, *(["--full"] if full else [])])


@command.command()
@click.argument("topics", metavar="TOPIC...", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def rejudge(topics: tuple[str, ...], as_json: bool) -> None:
    """Make silver and quarantine of each TOPIC anew from bronze, by today's contract; stop the stream first.

    Both tables are overwritten, each in one commit; rows whose message bronze no longer has stay as they are. Ended in
    between, it is completed by running it again. It starts a JVM.
    """
    from data_lake.spark import session
    from stream_processing.spark_streaming.silver.rejudge import rejudge as judge_again
    from tidemill.contracts.registry import topics_called
    from tidemill.stack.stream.stopped import require_stream_stopped

    settings, names = load_settings(), topics_called(topics)
    require_stream_stopped(settings)
    spark = session("lake/rejudge", settings)
    try:
        done = [judge_again(spark, settings, topic).__dict__ for topic in names]
    finally:
        spark.stop()
    if as_json:
        click.echo(strict_json.dumps(done, indent=2))
        return
    _print_table(["topic", "silver_before", "silver", "quarantine_before", "quarantine", "kept"], done)


def _print_json(result: "duckdb.DuckDBPyConnection") -> None:
    names = _names(result)
    click.echo("[", nl=False)
    separator = "\n"
    while rows := result.fetchmany(ROWS_AT_ONCE):
        for row in rows:
            click.echo(separator + strict_json.dumps(dict(zip(names, map(json_value, row), strict=True))), nl=False)
            separator = ",\n"
    click.echo("\n]")


def _print_csv(result: "duckdb.DuckDBPyConnection") -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(_names(result))
    while rows := result.fetchmany(ROWS_AT_ONCE):
        writer.writerows(map(csv_value, row) for row in rows)


def _names(result: "duckdb.DuckDBPyConnection") -> list[str]:
    return unique([column[0] for column in result.description or ()])


def _print_table(columns: list[str], rows: list[dict[str, Any]]) -> None:
    from tidemill.tables import print_table, table

    print_table(table(columns, ([_shown(row[column]) for column in columns] for row in rows)))


def _shown(cell: Any) -> str:
    return f"{cell:,}" if isinstance(cell, int) else str(cell)
