"""``tidemill retrain``: the requests for new models."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from tidemill.commands.requesting import check_use_case, new_data, request
from tidemill.commands.retraining import COMMANDS as WORK
from tidemill.config import load_settings, strict_json
from tidemill.config.user import user_name
from tidemill.tables import print_table, table

if TYPE_CHECKING:
    from datetime import datetime

    from monitoring.control import RetrainRequest, Transition

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
reason_option = click.option("--reason", required=True, help="Why; kept in the request's trail.")
by_option = click.option("--by", "who", default=user_name, help="Who does it; the user of this process if not set.")
id_argument = click.argument("request_id", metavar="ID", type=click.UUID)
limit_option = click.option(
    "--limit", type=click.IntRange(min=1), default=100, show_default=True, help="The newest so many."
)


@click.group(name="retrain")
def command() -> None:
    """Ask for a new model, and follow what becomes of it."""


for subcommand in (request, new_data, *WORK):
    command.add_command(subcommand)


@command.command(name="list")
@click.argument("use_case", required=False)
@click.option("--open", "is_open", is_flag=True, help="Those that are not finished.")
@limit_option
@as_json_option
def list_(use_case: str | None, is_open: bool, limit: int, as_json: bool) -> None:
    """List the requests, newest first."""
    from monitoring.control import control_store

    check_use_case(use_case)
    with control_store(load_settings()) as store:
        requests = store.requests.newest(use_case, is_open=is_open, limit=limit)
    if as_json:
        click.echo(_json([asdict(request) for request in requests]))
        return
    head = ("id", "use case", "source", "state", "requested (UTC)", "asked", "held by", "reason")
    rows = [
        (str(r.id), r.use_case, r.source, r.state, _time(r.requested_at), str(r.asked), r.holder or "", r.reason)
        for r in requests
    ]
    print_table(table(head, rows))


@command.command()
@id_argument
@as_json_option
def show(request_id: UUID, as_json: bool) -> None:
    """Show a request, and everything that happened to it, oldest first."""
    from monitoring.control import control_store

    with control_store(load_settings()) as store:
        shown, trail = store.requests.get(request_id), store.requests.trail(request_id)
    if as_json:
        click.echo(_json({**asdict(shown), "trail": [asdict(transition) for transition in trail]}))
        return
    _print_request(shown)
    head = ("at (UTC)", "who", "state", "detail")
    print_table(table(head, [(_time(t.at), t.actor, _change(t), _plain(t.detail)) for t in trail]))


@command.command()
@id_argument
@reason_option
@by_option
@as_json_option
def cancel(request_id: UUID, reason: str, who: str, as_json: bool) -> None:
    """Reject an open request; whoever works on it is told at the next step and stops."""
    from monitoring.control import control_store

    with control_store(load_settings()) as store:
        cancelled = store.requests.cancel(request_id, who, reason)
    click.echo(_json(asdict(cancelled)) if as_json else f"request {cancelled.id} is {cancelled.state}")


@command.command()
@click.argument("use_case", required=False)
@limit_option
@as_json_option
def suppressed(use_case: str | None, limit: int, as_json: bool) -> None:
    """List what monitors asked for in vain, newest first, and why."""
    from monitoring.control import control_store

    check_use_case(use_case)
    with control_store(load_settings()) as store:
        refusals = store.requests.suppressed(use_case, limit)
    if as_json:
        click.echo(_json([asdict(refusal) for refusal in refusals]))
        return
    head = ("at (UTC)", "use case", "source", "key", "asked because", "refused because")
    print_table(table(head, [(_time(r.at), r.use_case, r.source, r.key, r.reason, r.detail) for r in refusals]))


def _print_request(request: "RetrainRequest") -> None:
    lines = {
        "request": str(request.id),
        "use case": request.use_case,
        "state": request.state,
        "source": f"{request.source}, key {request.key}",
        "reason": request.reason,
        "asked": f"{request.asked} times, last at {_time(request.last_asked_at)} UTC",
        "held by": f"{request.holder} until {_time(request.lease_until)} UTC" if request.holder else "nobody",
        "evidence": _plain(request.evidence),
        "policy": _plain(request.policy),
        "progress": _plain(request.progress),
    }
    print_table(table(("", ""), list(lines.items()), has_head=False))


def _change(transition: "Transition") -> str:
    before, after = transition.from_state, transition.to_state
    return after if before in {None, after} else f"{before} -> {after}"


def _time(time: "datetime | None") -> str:
    return "" if time is None else f"{time:%Y-%m-%d %H:%M:%S}"


def _plain(value: Mapping[str, Any]) -> str:
    return strict_json.dumps(value) if value else ""


def _json(value: Mapping[str, Any] | Sequence[Any]) -> str:
    return strict_json.dumps(value, default=str)
