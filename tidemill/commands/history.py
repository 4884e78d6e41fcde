"""``tidemill models history``: which model answered since when, by whose decision, and on what evidence."""

from dataclasses import asdict

import click

from tidemill.config import load_settings, strict_json
from tidemill.tables import print_table, table

HEAD = ("at (UTC)", "who", "what", "version", "reason", "evidence")


@click.command()
@click.argument("use_case")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def history(use_case: str, as_json: bool) -> None:
    """Tell who or what brought which model to its traffic, when, why and on what evidence; oldest first."""
    from monitoring.control import control_store
    from monitoring.rollout.history import history as read_history

    settings = load_settings()
    with control_store(settings) as store:
        entries = read_history(settings, store, use_case)
    if as_json:
        click.echo(strict_json.dumps([asdict(entry) for entry in entries], default=str))
        return
    rows = [
        (f"{entry.at:%Y-%m-%d %H:%M:%S}", entry.who, entry.what, entry.version, entry.reason, entry.evidence)
        for entry in entries
    ]
    print_table(table(HEAD, rows))
