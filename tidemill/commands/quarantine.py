"""``tidemill quarantine``: what lies there, what became of it, and how it comes out again."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tidemill.cells import json_value
from tidemill.commands.times import TIME
from tidemill.config import load_settings, strict_json
from tidemill.config.user import user_name
from tidemill.tables import print_table, table

if TYPE_CHECKING:
    from data_lake.quarantine.replay import OnProgress, Replayed
    from data_lake.quarantine.selection import Selection
    from data_lake.quarantine.standing import Message

JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
SHOWN = 80
"""Characters of a message in a table."""


def selecting(function: Callable[..., None]) -> Callable[..., None]:
    """The options that choose messages."""
    options = (
        click.option("--reason", "reasons", multiple=True, help="Only this reason; may be given more than once."),
        click.option("--since", type=TIME, help="Messages that the broker got at this time or later, UTC."),
        click.option("--until", type=TIME, help="Messages that the broker got before this time, UTC."),
    )
    for option in reversed(options):
        function = option(function)
    return function


def placing(function: Callable[..., None]) -> Callable[..., None]:
    """The options that choose a message by its place."""
    function = click.option("--offset", type=click.IntRange(min=0), help="Only the message at this offset.")(function)
    return click.option("--partition", type=click.IntRange(min=0), help="Only this partition.")(function)


@click.group(name="quarantine")
def command() -> None:
    """Show and work off the messages that broke their contract; none of these commands starts a JVM."""


@command.command()
@click.argument("topic")
@selecting
@placing
@click.option("--state", help="Only those that are so, as open, in silver, or refused again.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many.")
@JSON
def show(topic: str, state: str | None, limit: int, as_json: bool, **chosen: Any) -> None:
    """Show the newest messages of TOPIC in quarantine: where they are from, why they are there, what became of them."""
    from data_lake.quarantine.standing import STATES, newest
    from tidemill.config.errors import nearest

    if state is not None and state not in STATES:
        raise click.BadParameter(f"no state {state!r}{nearest(state, STATES)}", param_hint="--state")
    messages = newest(load_settings(), _selection(topic, **chosen), limit, state)
    if as_json:
        click.echo(strict_json.dumps([json_value(asdict(message)) for message in messages], indent=2))
        return
    columns = ("partition", "offset", "at, UTC", "reason", "detail", "key", "value", "state")
    print_table(table(columns, map(_shown, messages)))


@command.command()
@click.argument("topics", metavar="[TOPIC]...", nargs=-1)
@selecting
@click.option("--by-day", is_flag=True, help="A line a day, by the broker's time, UTC.")
@JSON
def stats(topics: tuple[str, ...], by_day: bool, as_json: bool, **chosen: Any) -> None:
    """Count the messages of each TOPIC, or of all, by reason, and by what became of them.

    open: nobody has replayed it. in silver: its event was replayed, and is there. known: silver had its event before.
    refused again: what was sent is in quarantine itself. on its way: the stream has not judged it yet. claimed: it is
    being replayed; after a run that was ended, the next finishes it.
    """
    from data_lake.quarantine.standing import STATES, counts
    from tidemill.contracts.registry import topics_called

    settings = load_settings()
    found = [
        count for name in topics_called(topics) for count in counts(settings, _selection(name, **chosen), by_day=by_day)
    ]
    if as_json:
        click.echo(strict_json.dumps([json_value(asdict(count)) for count in found], indent=2))
        return
    day = ("day",) if by_day else ()
    rows = (
        (
            count.topic,
            *([str(count.day)] if by_day else []),
            count.reason,
            *(f"{getattr(count, name.replace(' ', '_')):,}" for name in ("messages", *STATES)),
            f"{count.first:%F %T}",
            f"{count.last:%F %T}",
        )
        for count in found
    )
    print_table(table(("topic", *day, "reason", "messages", *STATES, "first, UTC", "last, UTC"), rows))


@command.command()
@click.argument("topic")
@selecting
@placing
@click.option(
    "--map",
    "file",
    type=click.Path(path_type=Path),
    help="A Python file with `def fix(value, key, headers)`: of the raw bytes it gives the corrected event, or None.",
)
@click.option("--dry-run", is_flag=True, help="Say what would happen; nothing is sent or written.")
@click.option("--by", "who", default=user_name, help="Who does it; the user of this process if not set.")
@JSON
def replay(topic: str, file: Path | None, dry_run: bool, who: str, as_json: bool, **chosen: Any) -> None:
    """Judge messages of TOPIC in quarantine again, and send through the topic what is an event now, each once.

    Without --map they are judged as they are, which helps after the contract or the bounds of time were widened. What
    is sent has a header with the place of the old message, which stays in quarantine as it arrived. A run that was
    ended is finished by the next one. The stream may go on meanwhile.
    """
    from data_lake.quarantine.fix import Fix
    from data_lake.quarantine.replay import check_fix
    from data_lake.quarantine.replay import dry_run as plan_only
    from data_lake.quarantine.replay import replay as replay_messages

    settings, selection = load_settings(), _selection(topic, **chosen)
    fix = None if file is None else Fix.read(file)
    with _bar() as on_progress:
        if dry_run:
            replayed = plan_only(settings, selection, fix, on_progress)
        else:
            replayed = replay_messages(settings, selection, fix, who, on_progress)
    click.echo(strict_json.dumps(asdict(replayed), indent=2) if as_json else _told(replayed))
    check_fix(replayed.plan)


def _selection(
    topic: str, reasons: tuple[str, ...], since: datetime | None, until: datetime | None, **place: Any
) -> "Selection":
    from data_lake.quarantine.selection import Selection
    from tidemill.config.errors import nearest
    from tidemill.contracts.checker import Reason
    from tidemill.contracts.registry import contract

    unknown = next((reason for reason in reasons if reason not in set(Reason)), None)
    if unknown is not None:
        raise click.BadParameter(f"no reason {unknown!r}{nearest(unknown, map(str, Reason))}", param_hint="--reason")
    known = frozenset(map(Reason, reasons))
    return Selection(contract(topic).topic, known, _utc(since), _utc(until), **place)


def _utc(time: datetime | None) -> datetime | None:
    return None if time is None else time.replace(tzinfo=UTC)


def _shown(message: "Message") -> list[str]:
    at = (str(message.partition), str(message.offset), f"{message.broker_time:%F %T}")
    new = f" at {message.new_partition}/{message.new_offset}" if message.new_offset is not None else ""
    key, value = (_cut(json_value(content)) for content in (message.key, message.value))
    return [*at, message.reason, message.detail, key, value, f"{message.state}{new}"]


def _cut(text: str | None) -> str:
    if text is None:
        return "none"
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}... ({len(text):,} characters)"


def _told(replayed: "Replayed") -> str:
    plan, would = replayed.plan, "would be " if replayed.is_dry_run else ""
    lines = [f"{replayed.topic}: {plan.messages:,} messages of quarantine judged again"]
    if replayed.finished:
        lines.append(f"  {replayed.finished:,} of an earlier run, which was ended, brought to their end")
    lines.append(f"  {(plan.send if replayed.is_dry_run else replayed.sent):,} {would}sent")
    lines.append(f"  {plan.known:,} whose event silver has, or gets from another of them")
    if plan.left:
        lines.append(f"  {plan.left:,} left where they are, since the fix gave None")
    if replayed.too_large:
        lines.append(f"  {replayed.too_large:,} too large to be sent (`message.max.bytes`)")
    if replayed.elsewhere:
        lines.append(f"  {replayed.elsewhere:,} that another run has claimed")
    for reason, count in plan.refused.items():
        lines.append(f"  {count:,} refused again: {reason}")
        lines += [f"    partition {at.partition} offset {at.offset}: {at.detail}" for at in plan.samples[reason]]
    return "\n".join(lines)


@contextmanager
def _bar() -> Iterator["OnProgress"]:
    """A progress bar on stderr, a line for each thing that is done."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        tasks: dict[str, Any] = {}

        def advance(doing: str, done: int, total: int) -> None:
            if doing not in tasks:
                tasks[doing] = progress.add_task(doing, total=total)
            progress.update(tasks[doing], completed=done, total=total)

        yield advance
