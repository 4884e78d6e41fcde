"""``tidemill drift``: is what comes now still what a model learnt from?"""

import re
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from tidemill.commands.times import TIME
from tidemill.config import load_settings, strict_json
from tidemill.config.errors import TerminalError
from tidemill.tables import print_table, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitoring.drift import Verdict
    from monitoring.looks.look import Look
    from monitoring.looks.served import Window

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


class DriftFoundError(TerminalError):
    """A table that is not what it was."""


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
    from monitoring.limits import limits_of
    from monitoring.looks.look import look as look_at
    from monitoring.looks.served import Window

    declared = load_use_case(use_case)
    end = (at or datetime.now(UTC)).replace(tzinfo=UTC)
    length = window or timedelta(hours=declared.spec.monitor.window_h)
    limits = limits_of(declared) if may_request else None
    once_each = declared.is_about_entities
    seen = look_at(load_settings(), use_case, Window(end - length, end), once_each=once_each, limits=limits)
    if as_json:
        click.echo(strict_json.dumps(_document(use_case, seen), default=str))
    elif seen is None:
        click.echo(f"{use_case} has no champion: there is nothing to look at")
    else:
        _show(seen)


@command.command()
@click.argument("name", metavar="TABLE")
@click.option("--reference", type=(TIME, TIME), metavar="FROM TO", help="The period it is compared with, UTC.")
@click.option("--reference-table", metavar="TABLE", help="The table it is compared with.  [default: TABLE itself]")
@click.option("--from", "begin", type=TIME, help="Rows from this time on, UTC.")
@click.option("--to", "end", type=TIME, help="Rows before this time, UTC.")
@click.option("--columns", help="Names with commas between.  [default: all but keys, times and lineage]")
@click.option("--time-column", help="The column that tells a row's time.  [default: event_time, or the only one]")
@click.option("--alpha", type=click.FloatRange(0, 0.5, True, True), default=0.05, show_default=True)
@as_json_option
def check(  # noqa: PLR0913, PLR0917 - the options of the command
    name: str,
    reference: tuple[datetime, datetime] | None,
    reference_table: str | None,
    begin: datetime | None,
    end: datetime | None,
    columns: str | None,
    time_column: str | None,
    alpha: float,
    as_json: bool,
) -> None:
    """Compare TABLE, such as silver/transactions or a path, with what it was, or with another.

    The exit status is 1 when it has drifted.
    """
    from monitoring.looks.tables import compare, source

    if reference is None and reference_table is None:
        raise click.UsageError("say what to compare with: --reference FROM TO, or --reference-table TABLE")
    settings = load_settings()
    before = source(
        settings, reference_table or name, time_column, _period("--reference", *(reference or (None, None)))
    )
    now = source(settings, name, time_column, _period("--from", begin, end))
    compared = compare(settings, before, now, columns.split(",") if columns else (), alpha)
    drifted = compared.judgement.drifted
    if as_json:
        verdicts = [asdict(verdict) for verdict in compared.judgement.verdicts]
        document = {**asdict(compared), "drifted": [verdict.finding.key for verdict in drifted], "verdicts": verdicts}
        document.pop("judgement")
        click.echo(strict_json.dumps(document, default=str))
    else:
        click.echo(f"{compared.current_rows:,} rows of {compared.current}")
        click.echo(f"against {compared.reference_rows:,} rows of {compared.reference}")
        print_table(table(HEAD, rows_of(compared.judgement.verdicts)))
    if drifted:
        names = dict.fromkeys(verdict.finding.feature or str(verdict.finding.aspect) for verdict in drifted)
        raise DriftFoundError(f"{compared.current} has drifted: {', '.join(names)}")


def _period(option: str, begin: datetime | None, end: datetime | None) -> "Window | None":
    from monitoring.looks.served import Window

    if begin is None and end is None:
        return None
    if begin is None or end is None or end <= begin:
        raise click.UsageError(f"{option}: give a begin, and an end after it")
    return Window(begin.replace(tzinfo=UTC), end.replace(tzinfo=UTC))


@command.command()
@click.argument("use_case")
@as_json_option
def reference(use_case: str, as_json: bool) -> None:
    """Make the profile that the champion of USE_CASE is compared with, where its run has no whole one."""
    from ml_modeling.use_case import load_use_case
    from monitoring.looks.restoring import restore

    kept = restore(load_settings(), load_use_case(use_case))
    document = {"use_case": use_case, "rows": kept.profile.rows, "digest": kept.digest}
    text = f"the champion of {use_case} is compared with a profile of {kept.profile.rows:,} rows ({kept.digest[:12]})"
    click.echo(strict_json.dumps(document) if as_json else text)


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
        f"other models, {counts.lacking:,} from other features, {counts.stale:,} from old ones, {counts.repeated:,} "
        "about somebody who was judged already"
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
