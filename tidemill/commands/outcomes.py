"""``tidemill models outcomes`` and ``tidemill models performance``."""

from datetime import UTC, datetime, timedelta
from typing import Any

import click

from tidemill.config import load_settings, strict_json
from tidemill.tables import print_table, table

TABLE = "gold/model_performance"
HEAD = ("day (UTC)", "version", "arm", "metric", "value", "interval", "known", "left out", "run")


@click.command()
@click.argument("use_case", required=False)
@click.option("--full", is_flag=True, help="Judge every prediction again, not only those that may have changed.")
@click.option("--json", "as_json", is_flag=True, help="Leave out the lines for people.")
def outcomes(use_case: str | None, full: bool, as_json: bool) -> None:
    """Join what came true to the logged predictions of USE_CASE, or of all, and measure the models by it.

    The last line printed is a JSON object. The process becomes spark-submit, so that its exit status and its signals
    are the job's.
    """
    from data_lake.spark import become_spark_submit
    from ml_modeling.use_case import load_use_case
    from tidemill.config.installation import REPO

    named = [load_use_case(use_case).name] if use_case else []
    flags = [flag for flag, is_set in (("--full", full), ("--json", as_json)) if is_set]
    job = REPO / "batch_processing" / "outcomes" / "run.py"
    become_spark_submit(load_settings(), job, [*named, *flags])


@click.command()
@click.argument("use_case")
@click.option("--days", type=click.IntRange(min=1), default=30, show_default=True, help="How many days back.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def performance(use_case: str, days: int, as_json: bool) -> None:
    """Show how good the served models of USE_CASE were: metrics by day of the predictions, model and arm."""
    from ml_modeling.use_case import load_use_case

    since = datetime.now(UTC).date() - timedelta(days=days - 1)
    rows = _rows(load_use_case(use_case).name, since.isoformat())
    if as_json:
        click.echo(strict_json.dumps([{**row, "event_date": row["event_date"].isoformat()} for row in rows]))
        return
    print_table(table(HEAD, [_line(row) for row in rows]))


def _rows(use_case: str, since: str) -> list[dict[str, Any]]:
    """A row a metric, model, arm and day: as few as there are days."""
    import duckdb

    from data_lake import arrow
    from data_lake.delta_rs import open_table
    from data_lake.tables import table as declared

    with duckdb.connect() as connection:
        connection.register("performance", arrow.source(open_table(declared(TABLE), load_settings())))
        found = connection.execute(QUERY, [use_case, since])
        names = [column[0] for column in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


QUERY = """
    SELECT * EXCLUDE (event_month) FROM performance
    WHERE use_case = ? AND event_date >= CAST(? AS DATE)
    ORDER BY event_date, model_version, model_run_id, model_id, arm, metric
"""


def _line(row: dict[str, Any]) -> tuple[str, ...]:
    is_told = row["value"] is not None
    value = f"{row['value']:.3f}" if is_told else "cannot be told"
    interval = f"{row['low']:.3f} to {row['high']:.3f}" if is_told else ""
    return (
        str(row["event_date"]),
        row["model_version"],
        row["arm"],
        row["metric"],
        value,
        interval,
        f"{row['known']:,} of {row['predictions']:,}",
        f"{row['left_out']:,}",
        row["model_run_id"],
    )
