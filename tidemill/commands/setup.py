"""``tidemill setup``."""

import click

from tidemill.config import load_settings

PARTS = ("jars", "classes", "airflow")
OPTIONAL = ("flink", "nifi", "flume")


@click.command(name="setup")
@click.argument("parts", nargs=-1, type=click.Choice((*PARTS, *OPTIONAL)))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(parts: tuple[str, ...], as_json: bool) -> None:
    """Make Airflow's environment, fetch the jars of Spark and Kafka, and archive Spark's classes; or only PARTS.

    Made only when they are named: `flink`, an environment with Flink in it (1 GB) and its Kafka connector, `nifi`,
    the parts of NiFi (250 MB), and `flume`, the agent that tails files (45 MB).

    All projects share them, in TIDEMILL_CACHE or ~/.cache/tidemill; a second time does nothing. In a clone of the
    repository they lie beside the code; there `make setup` makes the first three, and `make setup-flink`,
    `make setup-nifi` and `make setup-flume` the others.
    """
    import json

    from tidemill.setup import set_up

    made = set_up(load_settings(), parts or PARTS, lambda line: click.echo(line, err=True))
    if as_json:
        click.echo(json.dumps({name: str(place) for name, place in made.items()}, indent=2))
        return
    for name, place in made.items():
        click.echo(f"{name}: {place}")
