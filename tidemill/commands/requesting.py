"""``tidemill retrain request``: asking for a new model, and waiting for what becomes of it."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from tidemill.config import load_settings, strict_json
from tidemill.config.errors import TerminalError, nearest
from tidemill.config.project import current_project
from tidemill.config.user import user_name

if TYPE_CHECKING:
    from monitoring.control import Ask, Limits, RetrainRequest

PERSON = "person"
SOURCES = (PERSON, "schedule", "new_data", "drift", "performance", "consistency")
"""What asks is the key as well: while one request of a source is open, another ask joins it."""


class UnknownUseCaseError(TerminalError):
    """A name that has no folder with the files of a use case."""


class NotPromotedError(TerminalError):
    """A request ended without a promotion; the message has the reasons."""


@click.command()
@click.argument("use_case")
@click.option("--reason", required=True, help="Why; kept in the request's trail.")
@click.option("--by", "who", default=user_name, help="Who asks; the user of this process if not set.")
@click.option("--source", type=click.Choice(SOURCES), default=PERSON, show_default=True, help="What asks.")
@click.option("--window-days", type=click.IntRange(min=1), help="Learn from the newest so many days.")
@click.option("--parameters", type=click.Choice(["tune", "champions"]), help="Search, or take the champion's.")
@click.option("--trials", type=click.IntRange(min=1), help="Trials of the search, over all candidates.")
@click.option("--timeout", "timeout_s", type=click.FloatRange(min=1), help="Seconds the search may take.")
@click.option("--run", "is_run", is_flag=True, help="Have its DAG work it off now; exit 1 if it is rejected.")
@click.option("--wait", is_flag=True, help="Follow it to its end; exit 1 if no model is promoted.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def request(  # noqa: PLR0913, PLR0917 - what can be typed
    use_case: str, reason: str, who: str, source: str, is_run: bool, wait: bool, as_json: bool, **policy: Any
) -> None:
    """Request a new model of USE_CASE; where a request of the same source is open, that is the one.

    What the policy leaves out is as in model.yaml. Sources other than a person are held to the limits there.
    """
    from monitoring.control import Ask, Source, Suppressed, control_store
    from tidemill.commands.dags import run_to_end
    from tidemill.following import Following

    check_use_case(use_case)
    said = {name: value for name, value in policy.items() if value is not None}
    ask = Ask(use_case, Source(source), source, reason, who, policy=said)
    with control_store(load_settings()) as store:
        asked = store.requests.ask(ask, _limits(ask))
        if isinstance(asked, Suppressed):
            click.echo(_json({"request_id": None, **asdict(asked)}) if as_json else f"not asked for: {asked.detail}")
            return
        following = Following(store, asked.id, lambda text: click.echo(text, err=True))
        if is_run:
            asked = following.until_worked_off(run_to_end)
        if wait:
            asked = following.until_finished()
    if as_json:
        click.echo(_json({"request_id": asked.id, **asdict(asked)}))
    else:
        again = f", asked for {asked.asked} times" if asked.asked > 1 else ""
        click.echo(f"request {asked.id} of {use_case} is {asked.state}{again}")
    if wait or is_run:
        raise_unless_promoted(asked)


@click.command(name="new-data")
@click.argument("use_case")
@click.option("--by", "who", default=user_name, help="Who asks; the user of this process if not set.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def new_data(use_case: str, who: str, as_json: bool) -> None:
    """Request a new model of USE_CASE if its tables have `retraining.new_rows` more rows than at its last training."""
    from ml_modeling.use_case import load_use_case
    from monitoring.control import Suppressed, control_store
    from monitoring.retraining import new_data as counting

    check_use_case(use_case)
    settings, definition = load_settings(), load_use_case(use_case)
    found = counting.new_data(settings, definition)
    ask = counting.ask_of(definition, found, who)
    document: dict[str, Any] = {"request_id": None, "rows": dict(found.tables) if found else None}
    if ask is None:
        click.echo(_json(document) if as_json else f"not asked for: {found.rows if found else 'unknown'} new rows")
        return
    with control_store(settings) as store:
        asked = store.requests.ask(ask, _limits(ask))
    if isinstance(asked, Suppressed):
        click.echo(_json(document | {"refused": asked.detail}) if as_json else f"not asked for: {asked.detail}")
    else:
        click.echo(_json(document | {"request_id": asked.id}) if as_json else f"request {asked.id}: {asked.reason}")


def check_use_case(use_case: str | None) -> None:
    """Raises UnknownUseCaseError for a name that no use case has that can be trained."""
    known = current_project().trained()
    if use_case is not None and use_case not in known:
        raise UnknownUseCaseError(f"there is no use case {use_case!r} that can be trained{nearest(use_case, known)}")


def raise_unless_promoted(request: "RetrainRequest") -> None:
    """Raises NotPromotedError for a request that ended otherwise."""
    if not request.state.is_finished or request.state == "promoted":
        return
    detail = request.progress.get(request.state.value, {})
    why = "; ".join(detail.get("reasons", [])) or detail.get("error", "")
    advice = why or f"`tidemill retrain show {request.id}` tells what happened"
    raise NotPromotedError(f"request {request.id} of {request.use_case} is {request.state}: {advice}")


def _limits(ask: "Ask") -> "Limits | None":
    """Those of the use case, for whom they hold."""
    if not ask.source.is_automatic:
        return None
    from ml_modeling.use_case import load_use_case
    from monitoring.limits import limits_of

    return limits_of(load_use_case(ask.use_case))


def _json(value: Mapping[str, Any]) -> str:
    return strict_json.dumps(value, default=str)
