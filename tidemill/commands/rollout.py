"""``tidemill rollout``: start one, go a step further, go back to the champion; ``tidemill models approve``."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from tidemill.commands.requesting import check_use_case
from tidemill.config import load_settings, strict_json
from tidemill.config.errors import TransientError
from tidemill.config.user import user_name

if TYPE_CHECKING:
    from monitoring.control import Rollout
    from monitoring.rollout.conducting import Taken
    from monitoring.rollout.work import Place, Work

POLICIES = ("direct", "manual", "shadow", "canary", "ab", "blue_green")

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
reason_option = click.option("--reason", required=True, help="Why; kept in the history.")
by_option = click.option("--by", "who", default=user_name, help="Who does it; the user of this process if not set.")


@click.group(name="rollout")
def command() -> None:
    """Bring a model to its traffic step by step, and take it back."""
    quiet()


def quiet() -> None:
    """Only warnings of the libraries reach stderr."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # its retries end in an error of ours


@command.command()
@click.argument("use_case")
@click.argument("version")
@reason_option
@by_option
@click.option("--policy", type=click.Choice(POLICIES), help="Instead of the one in model.yaml.")
@click.option("--force", is_flag=True, help="Past the gates: your decision, which the trail tells as such.")
@as_json_option
def start(  # noqa: PLR0913, PLR0917 - what can be typed
    use_case: str, version: str, reason: str, who: str, policy: str | None, force: bool, as_json: bool
) -> None:
    """Roll VERSION of USE_CASE out: replay first, then by its policy; `rollout step` goes on."""
    from ml_modeling.registry.versions import get_version
    from monitoring.control import Policy
    from monitoring.rollout.conducting import step as take_step
    from monitoring.rollout.starting import begin

    with _work(use_case, who) as work:
        chosen = get_version(work.place.settings, use_case, version)
        begun = begin(work, chosen, reason, policy=Policy(policy) if policy else None, is_override=force)
        taken = take_step(work)
    _print(taken, as_json, f"epoch {begun.epoch}: version {version} of {use_case} by policy {begun.traffic.policy}")


@command.command()
@click.argument("use_case")
@by_option
@as_json_option
def step(use_case: str, who: str, as_json: bool) -> None:
    """Do what is next of the rollout of USE_CASE; at any time, and again, it is safe."""
    from monitoring.rollout.conducting import step as take_step

    with _work(use_case, who) as work:
        taken = take_step(work)
    _print(taken, as_json, "")


@command.command()
@click.argument("use_case")
@reason_option
@by_option
@as_json_option
def stop(use_case: str, reason: str, who: str, as_json: bool) -> None:
    """End the rollout of USE_CASE: the champion answers everybody again, within seconds."""
    from monitoring.rollout.errors import NoRolloutError

    with place_of(use_case, who) as place:
        ended = end_rollout(place, reason)
    if ended is None:
        raise NoRolloutError(f"nothing of {use_case!r} is being rolled out: there is nothing to stop")
    click.echo(strict_json.dumps(_traffic(ended), default=str) if as_json else f"stopped: {_told(ended)}")


@click.command()
@click.argument("use_case")
@click.option("--version", help="Only this one: refused when another is being rolled out.")
@reason_option
@by_option
@as_json_option
def approve(use_case: str, version: str | None, reason: str, who: str, as_json: bool) -> None:
    """Approve the challenger of USE_CASE that waits for it (policy manual): it becomes the champion."""
    from monitoring.rollout.conducting import approve as approve_challenger

    with _work(use_case, who) as work:
        taken = approve_challenger(work, version, reason)
    _print(taken, as_json, "")


def end_rollout(place: "Place", reason: str) -> "Rollout | None":
    """The change that ended the rollout, None where none runs; the registry follows, at once or by the next step."""
    from monitoring.rollout.ending import settle
    from monitoring.rollout.ending import stop as stop_rollout

    over = stop_rollout(place, reason)
    if over is None:
        return None
    try:
        settle(place, over)
    except TransientError as error:
        click.echo(f"the rollout is ended; the next `rollout step` settles the registry: {error}", err=True)
    return over.end


@contextmanager
def place_of(use_case: str, who: str) -> "Iterator[Place]":
    """Where the rollouts of a use case are, whether or not it can be read."""
    from monitoring.control import control_store
    from monitoring.rollout.work import Place

    settings = load_settings()
    with control_store(settings) as store:
        yield Place(settings, store, use_case, who)


@contextmanager
def _work(use_case: str, who: str) -> "Iterator[Work]":
    from ml_modeling.use_case import load_use_case
    from monitoring.rollout.work import Work

    check_use_case(use_case)
    with place_of(use_case, who) as place:
        yield Work(place, load_use_case(use_case))


def _print(taken: "Taken", as_json: bool, before: str) -> None:
    if as_json:
        traffic = None if taken.rollout is None else _traffic(taken.rollout)
        click.echo(strict_json.dumps({"action": taken.action, "why": taken.why, "rollout": traffic}, default=str))
        return
    action = f"{taken.action}: " if taken.action else ""
    now = "" if taken.rollout is None else f" ({_told(taken.rollout)})"
    click.echo("\n".join(line for line in (before, f"{action}{taken.why}{now}") if line))


def _traffic(rollout: "Rollout") -> dict[str, Any]:
    traffic = asdict(rollout.traffic)
    return {"epoch": rollout.epoch, **traffic, "at": rollout.at, "actor": rollout.actor, "reason": rollout.reason}


def _told(rollout: "Rollout") -> str:
    traffic = rollout.traffic
    champion = traffic.champion.version if traffic.champion else "none"
    if traffic.challenger is None:
        return f"epoch {rollout.epoch}: champion {champion} answers everybody"
    return f"epoch {rollout.epoch}: champion {champion}, challenger {traffic.challenger.version} at {traffic.share} %"
