"""``tidemill topics``."""

import json
from dataclasses import asdict

import click

from tidemill.config import load_settings
from tidemill.tables import print_table, table


@click.group(name="topics")
def command() -> None:
    """Create and list the topics of the contracts."""


@command.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def create(as_json: bool) -> None:
    """Create the topics that are missing; set the configuration of those that differ."""
    from ingestion_layer.kafka.topics import ensure_topics

    changed = ensure_topics(load_settings())
    if as_json:
        click.echo(json.dumps({"changed": list(changed)}))
        return
    click.echo(f"created or changed: {', '.join(changed)}" if changed else "every topic is there already")


@command.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(as_json: bool) -> None:
    """List the topics as the broker has them."""
    from ingestion_layer.kafka.topics import topic_states

    states = topic_states(load_settings())
    if as_json:
        click.echo(json.dumps([asdict(state) for state in states], default=dict, indent=2))
        return
    rows = [
        (
            state.name,
            str(state.partitions or "missing"),
            str(state.replication or ""),
            ", ".join(f"{key}={value}" for key, value in state.config.items()),
        )
        for state in states
    ]
    print_table(table(("topic", "partitions", "replication", "configuration"), rows))
