"""``tidemill models standing``: is the champion worse than it was at training?"""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from tidemill.config import load_settings, strict_json

if TYPE_CHECKING:
    from monitoring.control import RetrainRequest, Suppressed
    from monitoring.performance.champion import ChampionStanding, Judgement


@click.command()
@click.argument("use_case")
@click.option("--request", "may_request", is_flag=True, help="Ask for a new model when it is worse.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def standing(use_case: str, may_request: bool, as_json: bool) -> None:
    """Tell whether the champion of USE_CASE is fine or worse than at training, from what came true of its answers.

    The same outcomes say the same, however often somebody looks.
    """
    from ml_modeling.use_case import load_use_case
    from monitoring.performance.champion import standing_of_champion
    from monitoring.performance.metrics import write_metrics
    from monitoring.performance.requesting import request

    settings, declared = load_settings(), load_use_case(use_case)
    seen = standing_of_champion(settings, declared)
    write_metrics(settings, use_case, seen)
    asked = request(settings, declared, seen) if may_request and seen is not None else None
    if as_json:
        click.echo(strict_json.dumps(_document(use_case, seen, asked), default=str))
        return
    click.echo("\n".join(_lines(use_case, seen)))
    if asked is not None:
        click.echo(_told(asked))


def _document(
    use_case: str, seen: "ChampionStanding | None", asked: "RetrainRequest | Suppressed | None"
) -> dict[str, Any]:
    """``verdict`` is null where there is nothing to judge."""
    from monitoring.performance.requesting import figures

    if seen is None:
        return {"use_case": use_case, "champion": None, "standing": None, "verdict": None, "request": None}
    return {
        "use_case": use_case,
        "champion": {"version": seen.champion.version, **seen.champion.identity.model_dump()},
        "standing": seen.standing,
        "why": seen.why,
        "verdict": None if seen.judgement is None else figures(seen.judgement),
        "request": None if asked is None else asdict(asked),
    }


def _lines(use_case: str, seen: "ChampionStanding | None") -> list[str]:
    if seen is None:
        return [f"{use_case} has no champion: there is nothing to judge"]
    why = f": {seen.why}" if seen.why else ""
    lines = [f"{use_case} version {seen.champion.version} ({seen.champion.identity}) is {seen.standing}{why}"]
    return lines if seen.judgement is None else [*lines, *_figures(seen.judgement)]


def _figures(judgement: "Judgement") -> list[str]:
    verdict, reference = judgement.verdict, judgement.trained.reference
    since = f" since {verdict.since:%F %T} UTC, {verdict.excess:.4f} above it" if verdict.since else ""
    mean = "none yet" if verdict.mean is None else f"{verdict.mean:.4f}{since}"
    return [
        f"outcomes: {judgement.outcomes:,} of answers before {judgement.served.until:%F %T} UTC, "
        f"{judgement.outcomes_enough:,} are enough",
        f"mean loss at training: {reference.value:.4f} [{reference.low:.4f}, {reference.high:.4f}]",
        f"mean loss of what was served: {mean}",
        f"evidence: {verdict.evidence:,.4g}, and {1 / judgement.rule.alpha:g} makes a model worse",
    ]


def _told(asked: "RetrainRequest | Suppressed") -> str:
    from monitoring.control import Suppressed

    if isinstance(asked, Suppressed):
        return f"no new model is asked for: {asked.detail}"
    return f"request {asked.id} is {asked.state}, asked for {asked.asked} times"
