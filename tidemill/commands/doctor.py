"""``tidemill doctor``."""

import json
import sys
from dataclasses import asdict

import click

from config import load_settings


@click.command(name="doctor")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(as_json: bool) -> None:
    """Check this machine and say what to do about each failure; exit 1 when a check fails."""
    from rich.console import Console

    from tidemill.doctor import checks

    results = checks(load_settings())
    if as_json:
        click.echo(json.dumps([asdict(result) for result in results], indent=2))
    else:
        console = Console(soft_wrap=True, highlight=False)
        for result in results:
            mark = "[green]ok    [/]" if result.is_ok else "[red]failed[/]"
            console.print(mark, end=" ")
            console.print(f"{result.name}: {result.found}", markup=False)
            if not result.is_ok:
                console.print(f"       -> {result.advice}", markup=False)
    sys.exit(0 if all(result.is_ok for result in results) else 1)
