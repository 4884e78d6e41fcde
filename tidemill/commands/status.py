"""``tidemill status``."""

import time
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from tidemill.config import load_settings, strict_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table
    from rich.text import Text

    from tidemill.stack.status import ServiceStatus, StackStatus
    from tidemill.stack.stream.progress import QueryProgress
    from tidemill.tables import Cell

SERVICE_COLUMNS = ("service", "state", "pid", "memory", "up", "restarts", "address")
STREAM_COLUMNS = ("query", "state", "batch", "running", "input rows/s", "processed rows/s", "batch s", "rows behind")
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
    from tidemill.stack.status import status
    from tidemill.tables import print_table

    stack = status(load_settings())
    if as_json:
        click.echo(strict_json.dumps(asdict(stack), indent=2))
        return
    print_table(_services(stack))
    if stack.stream:
        print_table(stream_table(stack.stream, time.time()))
    for service in stack.services:
        if service.reason:
            click.echo(f"{service.name}: {service.reason}; log: {service.log}")
    for query in stack.stream:
        if query.sentence:
            click.echo(f"{query.query} is {query.state}: {query.sentence}")
    for waiting in stack.waiting:
        click.echo(waiting)
    for topic, reasons in stack.quarantined.items():
        counts = ", ".join(f"{reason} {count:,}" for reason, count in reasons.items())
        click.echo(f"quarantine of {topic}: {counts}")
    click.echo(f"home: {stack.home}")


def _services(stack: "StackStatus") -> "Table":
    from tidemill.tables import as_typed, table

    made = table(SERVICE_COLUMNS, map(_service_row, stack.services))
    made.add_section()
    total = ("all, with supervisord", "", str(stack.supervisor_pid or ""), mebibytes(stack.memory_bytes))
    made.add_row(*map(as_typed, total))
    return made


def _service_row(service: "ServiceStatus") -> "list[Cell]":
    return [
        service.name,
        _state(service.state),
        str(service.pid or ""),
        mebibytes(service.memory_bytes) if service.pid else "",
        "" if service.uptime_s is None else duration(service.uptime_s),
        str(service.restarts) if service.pid else "",
        service.address,
    ]


def _state(state: str) -> "Text":
    from rich.text import Text

    return Text(state, STYLES.get(state, "red"))


def stream_table(stream: "Sequence[QueryProgress]", now: float) -> "Table":
    """One row a query; ``now`` is in seconds since the epoch."""
    from tidemill.tables import table

    return table(STREAM_COLUMNS, (_query_row(query, now) for query in stream))


def _query_row(query: "QueryProgress", now: float) -> "list[Cell]":
    figures = (query.input_rows_per_second, query.processed_rows_per_second, query.batch_duration_seconds)
    cells = ["" if figure is None else f"{figure:,.1f}" for figure in figures]
    batch, behind = ["" if number is None else f"{number:,}" for number in (query.batch_id, query.lag_rows)]
    return [query.query, _state(query.state), batch, _running(query, now), *cells, behind]


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
