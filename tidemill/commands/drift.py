"""``tidemill drift``: is what comes now still what a model learnt from?"""

import re
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from tidemill.commands.features import TIME
from tidemill.config import load_settings, strict_json
from tidemill.tables import print_table, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitoring.drift import Verdict
    from monitoring.looks.look import Look

UNITS = {"m": "minutes", "h": "hours", "d": "days"}
HEAD = ("feature", "aspect", "verdict", "statistic", "effect", "limit", "adjusted p", "since (UTC)", "importance")

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


class Duration(click.ParamType["timedelta"]):
    """Such as ``24h``, ``90m`` or ``7d``."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        if isinstance(value, timedelta):
            return value
        parsed = re.fullmatch(r"([1-9]\d{0,5})([mhd])", value)
        if parsed is None:
            self.fail(f"{value!r} is no duration: give a whole number and m, h or d, such as 24h", param, ctx)
        return timedelta(**{UNITS[parsed[2]]: int(parsed[1])})


@click.group(name="drift")
def command() -> None:
    """Compare what came with what a model learnt from, or a table with what it was."""


@command.command()
@click.argument("use_case")
@click.option("--at", type=TIME, help="The window ends at this time, UTC.  [default: now]")
@click.option("--window", type=Duration(), help="How long it is: 24h, 90m, 7d.  [default: as model.yaml says]")
@click.option("--request", "may_request", is_flag=True, help="Ask for a new model when its inputs or answers drifted.")
@as_json_option
def look(use_case: str, at: datetime | None, window: timedelta | None, may_request: bool, as_json: bool) -> None:
    """Look at what the champion of USE_CASE was asked; the same look again says the same."""
    from ml_modeling.use_case import load_use_case
    from monitoring.looks.look import look as look_at
    from monitoring.looks.served import Window

    end = (at or datetime.now(UTC)).replace(tzinfo=UTC)
    length = window or timedelta(hours=load_use_case(use_case).spec.monitor.window_h)
    seen = look_at(load_settings(), use_case, Window(end - length, end), may_request=may_request)
    if as_json:
        click.echo(strict_json.dumps(_document(use_case, seen), default=str))
    elif seen is None:
        click.echo(f"{use_case} has no champion: there is nothing to look at")
    else:
        _show(seen)


def _document(use_case: str, seen: "Look | None") -> Mapping[str, Any]:
    if seen is None:
        return {"use_case": use_case, "champion": None}
    look = seen.verdicts
    return {
        "use_case": use_case,
        "champion": {"version": seen.subject.version, **seen.subject.identity.model_dump()},
        "look": look.look_id,
        "from": look.window.begin,
        "to": look.window.end,
        "is_newest": seen.is_newest,
        **asdict(look.counts),
        "alpha": look.alpha,
        "drifted": [verdict.finding.key for verdict in look.drifted],
        "verdicts": [asdict(verdict) for verdict in look.verdicts],
        "estimates": {name: _estimate(estimate) for name, estimate in seen.estimates.items()},
        "request": None if seen.request is None else asdict(seen.request),
    }


def _estimate(estimate: Any) -> Mapping[str, Any]:
    reason = getattr(estimate, "reason", None)
    return {"cannot_know": reason} if reason is not None else estimate.model_dump()


def _show(seen: "Look") -> None:
    from monitoring.control import Suppressed

    look, counts = seen.verdicts, seen.verdicts.counts
    click.echo(f"{seen.subject}, answers from {look.window.begin:%F %T} to {look.window.end:%F %T} UTC")
    click.echo(
        f"{counts.judged:,} judged of {counts.answers:,}; {counts.unscored:,} for a cold start, {counts.others:,} of "
        f"other models, {counts.lacking:,} from other features"
    )
    if not look.verdicts:
        click.echo("nobody has asked yet")
        return
    print_table(table(HEAD, rows_of(look.verdicts)))
    for name, estimate in seen.estimates.items():
        reason = getattr(estimate, "reason", None)
        click.echo(f"expected {name}: {estimate if reason is None else f'cannot be known: {reason}'}")
    match seen.request:
        case None:
            pass
        case Suppressed() as refused:
            click.echo(f"no new model is asked for: {refused.detail}")
        case request:
            click.echo(f"request {request.id} is {request.state}, asked for {request.asked} times")


def rows_of(verdicts: "Sequence[Verdict]") -> "list[tuple[str, ...]]":
    """The verdicts for people: drifted ones first."""
    from monitoring.looks.page import cells, ordered

    return [cells(verdict) for verdict in ordered(verdicts)]
