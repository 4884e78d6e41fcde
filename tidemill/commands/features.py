"""``tidemill features apply | list | bootstrap | get | consistency | corrections``."""

import re
import time
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from tidemill.commands.times import TIME
from tidemill.config import load_settings, strict_json
from tidemill.config.errors import TerminalError
from tidemill.tables import print_table, table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from feature_store.consistency.check import Consistency
    from feature_store.definitions import FeatureService
    from feature_store.stream.bootstrap import Bootstrapped
    from tidemill.config import Settings

TIMEOUT_S = 10.0
POLL_S = 2.0


class NothingToCompareError(TerminalError):
    """Fewer predictions than wanted were logged in the period."""


class InconsistentError(TerminalError):
    """More of the logged features differ from the lake's than is allowed."""


@click.group(name="features")
def command() -> None:
    """Register, bootstrap, read and check features."""


@command.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def apply(as_json: bool) -> None:
    """Write entities, feature views and feature services to Feast's registry; again is a no-op."""
    from feature_store.feast.repository import apply as apply_definitions

    applied = apply_definitions(load_settings())
    click.echo(strict_json.dumps({"applied": applied}) if as_json else "\n".join(applied))


@command.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_registered(as_json: bool) -> None:
    """List the feature services and views of Feast's registry, and what a row that asks for them must have."""
    from feature_store.feast.registered import registered

    there = registered(load_settings())
    if as_json:
        click.echo(strict_json.dumps(asdict(there)))
        return
    rows = [
        (kind, item.name, ", ".join((*item.keys, *item.inputs)), str(len(item.features)))
        for kind, items in (("service", there.services), ("view", there.views))
        for item in items
    ]
    print_table(table(("kind", "name", "asked by", "features"), rows))


@command.command()
@click.argument("group_names", metavar="[GROUP]...", nargs=-1)
@click.option("--anew", is_flag=True, help="Also where they are.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def bootstrap(group_names: tuple[str, ...], anew: bool, as_json: bool) -> None:
    """Make the online states of feature groups from silver, where they are not there yet.

    Without a name, of those that the served use cases read.

    The stream application does so when it starts; run this before it starts with a changed definition, and the new
    states are there from its first second.
    """
    from data_lake.spark import session
    from feature_store import catalog
    from feature_store.feast.repository import apply as apply_definitions
    from feature_store.stream.bootstrap import bootstrap as make

    settings = load_settings()
    groups = [catalog.group(name) for name in group_names] or catalog.served_groups(settings.serving.use_cases)
    apply_definitions(settings)
    spark = session("features/bootstrap", settings)
    try:
        for group in groups:
            made = make(spark, settings, group, anew=anew)
            click.echo(strict_json.dumps(asdict(made)) if as_json else _bootstrapped(made))
    finally:
        spark.stop()


@command.command()
@click.argument("instances", metavar="INSTANCE...", nargs=-1, required=True)
@click.option("--service", "service_name", help="The feature service to read.  [default: the first that is served]")
@click.option("--by-name", is_flag=True, help="Each INSTANCE names its keys, also where one id would do.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def get(instances: tuple[str, ...], service_name: str | None, by_name: bool, as_json: bool) -> None:
    """Print the features of each instance as of now.

    An INSTANCE is an id, or, where a service has several entities or inputs, all of them as NAME=VALUE with commas
    between: customer_id=C000017,terminal_id=T000003,amount=81.5
    """
    from feature_store import catalog
    from feature_store.online.reader import OnlineReader

    settings = load_settings()
    service, ids = catalog.service(service_name or settings.serving.first), instances
    inputs = [given.name for given in service.inputs]
    asked = [_instance(text, service.keys, inputs, by_name=by_name) for text in instances]
    reader = OnlineReader(settings, service.name, TIMEOUT_S)
    rows = reader.read(asked)
    if as_json:
        shown = [
            {
                "id": one,
                "known_until": row.known_until.isoformat(),
                "status": {group: status.name for group, status in row.status.items()},
                "features": dict(zip(reader.names, row.values, strict=True)),
            }
            for one, row in zip(ids, rows, strict=True)
        ]
        click.echo(strict_json.dumps(shown))
        return
    cells = [[f"state of {group}", *(row.status[group].name for row in rows)] for group in rows[0].status]
    for position, name in enumerate(reader.names):
        cells.append([name, *(_cell(row.values[position]) for row in rows)])
    print_table(table(["", *ids], cells))


@command.command()
@click.argument("service_name", metavar="[SERVICE]", required=False)
@click.option("--from", "begin", type=TIME, help="Fetches from this time on, UTC. [default: a day before --to]")
@click.option("--to", "end", type=TIME, help="Fetches before this time, UTC. [default: now]")
@click.option("--allowed", type=click.FloatRange(0, 1), default=0.0, show_default=True, help="Share of wrong values.")
@click.option("--at-least", type=click.IntRange(min=0), default=1, show_default=True, help="Fetches to compare.")
@click.option(
    "--wait", "wait_s", type=click.FloatRange(min=0), default=0, metavar="SECONDS", help="Wait for so many in the lake."
)
@click.option("--request", "is_request", is_flag=True, help="Above the allowed share, ask for a new model.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def consistency(  # noqa: PLR0913, PLR0917 - click hands over every option
    service_name: str | None,
    begin: datetime | None,
    end: datetime | None,
    allowed: float,
    at_least: int,
    wait_s: float,
    is_request: bool,
    as_json: bool,
) -> None:
    """Compare the features of logged predictions with those of the lake; exit 1 above the allowed share.

    Without a SERVICE, those of the first that is served.
    """
    from feature_store import catalog
    from feature_store.consistency.check import measure

    until = (end or datetime.now(UTC)).replace(tzinfo=UTC)
    since = begin.replace(tzinfo=UTC) if begin else until - timedelta(days=1)
    settings = load_settings()
    service = catalog.service(service_name or settings.serving.first)
    deadline = time.monotonic() + wait_s
    while time.monotonic() < deadline and _logged(settings, service, since, until) < at_least:
        time.sleep(POLL_S)
    found = measure(settings, service, since, until)
    if as_json:
        click.echo(strict_json.dumps(asdict(found) | {"rate": found.rate}, default=str))
    else:
        _print_consistency(found)
    if found.fetches < at_least:
        raise NothingToCompareError(
            f"{found.fetches} predictions of {service.name} with features of today's definition from {since} to {until}"
            f", {at_least} are wanted: ask the model server for some, and wait until the lake has them"
        )
    if is_request:
        _request(settings, found, allowed)
    if found.rate > allowed:
        worst = max(found.features, key=lambda one: one.mismatched + one.missing + one.extra)
        raise InconsistentError(
            f"{found.rate:.2%} of the values differ from the lake's, {allowed:.2%} are allowed; most often "
            f"{worst.feature}: the table gold/feature_consistency has examples of each"
        )


@command.command()
@click.option("--limit", type=click.IntRange(min=1), default=10, show_default=True, help="The newest so many.")
@click.option("--days", type=click.IntRange(min=1), default=30, show_default=True, help="Predictions so far before.")
@click.option(
    "--predictions", type=click.IntRange(min=0), default=10_000, show_default=True, help="At most so many each."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def corrections(limit: int, days: int, predictions: int, as_json: bool) -> None:
    """List what changed in silver otherwise than by new events, and the predictions that it would have changed.

    The states of the entities it touched were made anew. A prediction counts whose features, as of its own time, are
    others from silver after the change than from silver before it.
    """
    from data_lake.arrow import UnreadableTableError
    from data_lake.delta_rs import MissingTableError
    from data_lake.log import CommitsGoneError
    from feature_store.consistency.corrections import newest
    from feature_store.judge.corrected import affected

    settings, rows = load_settings(), []
    for correction in newest(settings, limit):
        shown: dict[str, object] = asdict(correction)
        try:
            shown |= asdict(affected(settings, correction, timedelta(days=days), predictions))
        except (CommitsGoneError, MissingTableError, UnreadableTableError) as error:
            shown |= {"looked_at": None, "different": None, "unknown": str(error)}
        rows.append(shown)
    if as_json:
        click.echo(strict_json.dumps(rows, default=str))
    else:
        _print_corrections(rows)


def _logged(settings: "Settings", service: "FeatureService", since: datetime, until: datetime) -> int:
    """How many fetches the lake has that could be compared."""
    from feature_store.judge.fetches import load_fetches
    from feature_store.judge.values import workspace

    with workspace() as connection:
        return load_fetches(connection, settings, service, since, until)


def _print_corrections(rows: "Sequence[Mapping[str, object]]") -> None:
    names = ("corrected_at", "feature_group", "source", "version", "operation", "rows", "entities")
    cells = [[*(str(row[name]) for name in names), _changed(row)] for row in rows]
    print_table(table((*names, "predictions with other features"), cells, f"{len(rows)} corrections"))


def _changed(row: "Mapping[str, object]") -> str:
    return f"{row['different']} of {row['looked_at']}" if "unknown" not in row else f"unknown: {row['unknown']}"


def _bootstrapped(made: "Bootstrapped") -> str:
    if made.reason:
        return f"{made.view}: {made.reason}"
    return (
        f"{made.view}: {made.entities:,} entities from {made.events:,} events at version {made.version}, "
        f"{made.removed:,} of before removed; "
        f"a state has {made.mean_bytes:,} bytes, the largest {made.largest_bytes:,}"
    )


def _request(settings: "Settings", found: "Consistency", allowed: float) -> None:
    from ml_modeling.use_case import load_use_case
    from monitoring.control import Suppressed
    from monitoring.retraining.consistency import request
    from tidemill.commands.requesting import check_use_case

    check_use_case(found.service)
    asked = request(settings, load_use_case(found.service), found, allowed)
    if asked is not None:
        told = f"not asked for: {asked.detail}" if isinstance(asked, Suppressed) else f"request {asked.id}"
        click.echo(told, err=True)


def _print_consistency(found: "Consistency") -> None:
    rows = [
        (of.feature, *(f"{count:,}" for count in (of.matched, of.mismatched, of.missing, of.extra)))
        for of in found.features
    ]
    print_table(table(("feature", "matched", "mismatched", "missing", "extra"), rows, f"{found.fetches:,} fetches"))
    lag = f", by {found.lag_s['median']} s (median) and at most {found.lag_s['max']} s" if found.lag_s else ""
    click.echo(f"behind the lake at {found.behind:,} of {found.fetches:,} fetches{lag}")


def _instance(
    text: str, keys: "Sequence[str]", inputs: "Sequence[str]", *, by_name: bool = False
) -> dict[str, str | float]:
    """The keys and inputs of a service that an argument of ``get`` names."""
    names = [*keys, *inputs]
    if len(names) == 1 and not by_name and not text.startswith(f"{names[0]}="):
        text = f"{names[0]}={text}"
    # An id may hold a comma or an equals sign itself: a pair begins where one of the names does.
    pairs = re.split(rf"(?:^|,)({'|'.join(map(re.escape, names))})=", text)
    given = dict(zip(pairs[1::2], pairs[2::2], strict=True))
    if pairs[0] or len(pairs) != 2 * len(names) + 1 or set(given) != set(names):
        wanted = ",".join(f"{name}=..." for name in names)
        raise click.BadParameter(f"{text!r} must be {wanted}", param_hint="INSTANCE")
    try:
        return {name: float(value) if name in inputs else value for name, value in given.items()}
    except ValueError as error:
        raise click.BadParameter(f"{text!r}: {error}", param_hint="INSTANCE") from error


def _cell(number: float | None) -> str:
    return "-" if number is None else f"{number:.6g}"
