"""``tidemill stream``: from where on bronze reads a topic, and what only a person can decide about it."""

import json
from typing import TYPE_CHECKING, Any

import click

from tidemill.config import load_settings
from tidemill.config.user import user_name
from tidemill.tables import print_table, table

if TYPE_CHECKING:
    from data_lake.topic_starts import TopicStart

COLUMNS = ("topic", "start", "generation", "topic id", "cluster id", "from offsets", "given up", "why", "by", "at")
as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")
by_option = click.option("--by", "who", default=user_name, help="Who decides it; the user of this process if not set.")


@click.group(name="stream")
def command() -> None:
    """Show and decide from where on bronze reads a topic."""


@command.command(name="accept-loss")
@click.argument("topic")
@yes_option
@by_option
@as_json_option
def accept_loss_(topic: str, yes: bool, who: str, as_json: bool) -> None:
    """Give up the messages of TOPIC that the broker removed before they were read, and go on after them.

    They are listed first. What is given up is on record: `tidemill reconcile` counts exactly that as accepted loss.
    """
    from data_lake.topic_starts import accept_loss, losses
    from data_lake.topic_starts.loss_times import timed
    from tidemill.contracts.registry import contract

    settings, name = load_settings(), contract(topic).topic
    lost = timed(settings, name, losses(settings, name))
    for loss in lost:
        click.echo(f"{name} {loss}", err=as_json)
    if not yes:
        total = sum(loss.lost.messages for loss in lost)
        click.confirm(f"Give up these {total:,} offsets of {name} for ever?", abort=True, err=as_json)
    _print(accept_loss(settings, name, who), as_json)


@command.command(name="new-generation")
@click.argument("topic")
@yes_option
@by_option
@as_json_option
def new_generation_(topic: str, yes: bool, who: str, as_json: bool) -> None:
    """Read TOPIC from its beginning, since the broker has another topic of that name than the one bronze has read.

    What bronze has stays, as the generation that ended; it is counted, so the query that read it must have ended. An
    event that comes again is in silver once.
    """
    from data_lake.topic_starts import SameTopicError, compare, new_generation
    from tidemill.contracts.registry import contract
    from tidemill.stack.stream.stopped import require_query_ended

    settings, name = load_settings(), contract(topic).topic
    difference = compare(settings, name)
    if difference is None:
        raise SameTopicError(name)
    require_query_ended(settings, f"bronze/{name}")
    click.echo(f"{name}: {difference}", err=as_json)
    if not yes:
        click.confirm(f"Read {name} from its beginning, as a new generation?", abort=True, err=as_json)
    _print(new_generation(settings, name, who), as_json)


@command.command(name="starts")
@click.argument("topic", required=False)
@as_json_option
def starts_(topic: str | None, as_json: bool) -> None:
    """List from where on bronze has read TOPIC, or every topic: each start, which topic it was, what was given up."""
    from data_lake.topic_starts import starts
    from tidemill.contracts.registry import topics_called

    settings = load_settings()
    recorded = [start for name in topics_called([topic] if topic else []) for start in starts(settings, name)]
    if as_json:
        click.echo(json.dumps([start.as_json() for start in recorded], indent=2))
        return
    print_table(table(COLUMNS, map(_row, recorded)))


@command.command(name="transactions")
@click.argument("topic", required=False)
@as_json_option
def transactions_(topic: str | None, as_json: bool) -> None:
    """List the messages of TOPIC, or of every topic, that wait behind a transaction nobody has ended."""
    from ingestion_layer.kafka.open_transactions import open_transactions
    from tidemill.contracts.registry import topics_called

    waiting = open_transactions(load_settings(), topics_called([topic] if topic else []))
    if as_json:
        click.echo(json.dumps([transaction.as_json() for transaction in waiting], indent=2))
        return
    click.echo("\n".join(str(transaction) for transaction in waiting) or "no message waits behind a transaction")


def _row(start: "TopicStart") -> list[str]:
    offsets = ", ".join(f"{partition}: {offset}" for partition, offset in sorted(start.offsets.items()))
    lost = ", ".join(str(lost) for lost in start.lost)
    numbers = [str(start.start), str(start.generation)]
    identity = [start.identity.topic_id, start.identity.cluster_id]
    at = f"{start.started_at:%Y-%m-%d %H:%M:%S}"
    return [start.topic, *numbers, *identity, offsets, lost, start.reason, start.started_by, at]


def _print(start: "TopicStart", as_json: bool) -> None:
    described: dict[str, Any] = start.as_json()
    if as_json:
        click.echo(json.dumps(described, indent=2))
        return
    click.echo(
        f"{start.topic}: start {start.start} of generation {start.generation} is on record; the stream takes it up by"
        " itself"
    )
