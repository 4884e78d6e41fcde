"""``tidemill features apply | materialize | get``."""

import json
import os
import sys

import click

from config import load_settings
from config.settings import REPO

MATERIALIZE = REPO / "feature_store" / "materialize.py"


@click.group(name="features")
def command() -> None:
    """Apply, materialize and read features."""


@command.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def apply(as_json: bool) -> None:
    """Write entities, feature views and feature services to Feast's registry; again is a no-op."""
    from feature_store.repository import apply as apply_definitions

    applied = apply_definitions(load_settings())
    click.echo(json.dumps({"applied": applied}) if as_json else "\n".join(applied))


@command.command()
@click.option("--json", is_flag=True, expose_value=False, help="Print JSON, which it does without, too.")
@click.option("--driver-memory-mb", type=click.IntRange(min=512), help="Heap of the driver, in MiB.")
def materialize(driver_memory_mb: int | None) -> None:
    """Write the newest features to the online store, with spark-submit.

    The process becomes spark-submit, so that its exit status and its signals are the job's.
    """
    from data_lake.spark import spark_environment, submit_command

    settings = load_settings()
    line = submit_command(settings, MATERIALIZE, (), driver_memory_mb)
    os.environ.update(spark_environment(settings))
    sys.stdout.flush()
    os.execv(line[0], line)  # noqa: S606


@command.command()
@click.argument("customer_ids", metavar="CUSTOMER_ID...", nargs=-1, required=True)
@click.option("--service", "service_name", default="churn", show_default=True, help="The feature service to read.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def get(customer_ids: tuple[str, ...], service_name: str, as_json: bool) -> None:
    """Print what the online store knows of each customer."""
    from feature_store.online import OnlineReader

    reader = OnlineReader(load_settings(), service_name)
    rows = [
        {
            "customer_id": customer_id,
            "as_of": row.as_of.isoformat() if row else None,
            "features": dict(zip(reader.names, row.values, strict=True)) if row else None,
        }
        for customer_id, row in zip(customer_ids, reader.read(customer_ids), strict=True)
    ]
    if as_json:
        click.echo(json.dumps(rows))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("", *customer_ids)
    table.add_row("as of", *(str(row["as_of"] or "unknown") for row in rows))
    for name in reader.names:
        table.add_row(name, *(_cell(row["features"], name) for row in rows))
    Console().print(table)


def _cell(features: object, name: str) -> str:
    number = features[name] if isinstance(features, dict) else None
    return "-" if number is None else f"{number:.6g}"
