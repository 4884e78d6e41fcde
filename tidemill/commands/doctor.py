"""``tidemill doctor``."""

import json
import sys
from dataclasses import asdict

import click

from tidemill.config import load_settings


@click.command(name="doctor")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(as_json: bool) -> None:
    """Check this machine and say what to do about each failure; exit 1 when a check fails."""
    from tidemill.doctor import checks

    results = checks(load_settings())
    if as_json:
        click.echo(json.dumps([asdict(result) for result in results], indent=2))
    else:
        for result in results:
            mark = click.style("ok    ", fg="green") if result.is_ok else click.style("failed", fg="red")
            click.echo(f"{mark} {result.name}: {result.found}")
            if not result.is_ok:
                click.echo(f"       -> {result.advice}")
    sys.exit(0 if all(result.is_ok for result in results) else 1)
