"""``tidemill status``."""

import time
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from config import load_settings, strict_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from tidemill.stack.status import StackStatus
    from tidemill.stack.stream_progress import QueryProgress

PLAIN_WIDTH = 140
STYLES = {
    "ready": "green",
    "running": "green",
    "external": "green",
    "degraded": "yellow",
    "starting": "yellow",
    "retrying": "yellow",
    "searching": "yellow",
    "stopping": "yellow",
    "stopped": "dim",
}


@click.command(name="status")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(as_json: bool) -> None:
    """Show each service, its memory, and the stream's progress."""
    from rich.console import Console

    from tidemill.stack.status import status

    stack = status(load_settings())
    if as_json:
        click.echo(strict_json.dumps(asdict(stack), indent=2))
        return
    console = Console()
    if not console.is_terminal:
        console.width = PLAIN_WIDTH
    console.print(_services(stack))
    if stack.stream:
        console.print(stream_table(stack.stream, time.time()))
    for service in stack.services:
        if service.reason:
            console.print(f"{service.name}: {service.reason}; log: {service.log}", markup=False, highlight=False)
    for query in stack.stream:
        if query.sentence:
            console.print(f"{query.query} is {query.state}: {query.sentence}", markup=False, highlight=False)
    for waiting in stack.waiting:
        console.print(waiting, markup=False, highlight=False)
    for topic, reasons in stack.quarantined.items():
        counts = ", ".join(f"{reason} {count:,}" for reason, count in reasons.items())
        console.print(f"quarantine of {topic}: {counts}", markup=False, highlight=False)
    console.print(f"home: {stack.home}", markup=False, highlight=False, soft_wrap=True)


def _services(stack: "StackStatus") -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table("service", "state", "pid", "memory", "up", "restarts", "address")
    for service in stack.services:
        table.add_row(
            service.name,
            Text(service.state, STYLES.get(service.state, "red")),
            str(service.pid or ""),
            mebibytes(service.memory_bytes) if service.pid else "",
            "" if service.uptime_s is None else duration(service.uptime_s),
            str(service.restarts) if service.pid else "",
            service.address,
        )
    table.add_section()
    table.add_row("all, with supervisord", "", str(stack.supervisor_pid or ""), mebibytes(stack.memory_bytes))
    return table


def stream_table(stream: "Sequence[QueryProgress]", now: float) -> "Table":
    """One row a query; ``now`` is in seconds since the epoch."""
    from rich.table import Table
    from rich.text import Text

    table = Table("query", "state", "batch", "running", "input rows/s", "processed rows/s", "batch s", "rows behind")
    for query in stream:
        figures = (query.input_rows_per_second, query.processed_rows_per_second, query.batch_duration_seconds)
        cells = ["" if figure is None else f"{figure:,.1f}" for figure in figures]
        whole = ["" if number is None else f"{number:,}" for number in (query.batch_id, query.lag_rows)]
        state = Text(query.state, STYLES.get(query.state, "red"))
        table.add_row(query.query, state, whole[0], _running(query, now), *cells, whole[1])
    return table


def _running(query: "QueryProgress", now: float) -> str:
    """How long the batch has been running, and how many tasks of its present Spark jobs are done."""
    if query.batch_started is None:
        return ""
    since = duration(max(0.0, now - query.batch_started))
    return f"{since}, {query.batch_tasks_done} of {query.batch_tasks} tasks" if query.batch_tasks else since


def mebibytes(count: int) -> str:
    return f"{count / 2**20:,.0f} MiB"


def duration(seconds: float) -> str:
    """Hours, minutes and seconds, without leading zero parts."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h {minutes}m"
    return f"{minutes}m {rest}s" if minutes else f"{rest}s"
