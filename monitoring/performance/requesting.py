"""From a champion that became worse to a request for a new model."""

from typing import Any

from ml_modeling.use_case import UseCase
from monitoring.control import Ask, RetrainRequest, Source, Suppressed, control_store
from monitoring.limits import limits_of
from monitoring.performance.champion import ChampionStanding, Judgement
from monitoring.performance.standing import Standing
from tidemill.config.settings import Settings

ACTOR = "performance monitor"


def request(settings: Settings, use_case: UseCase, seen: ChampionStanding) -> RetrainRequest | Suppressed | None:
    """The request that a worse champion leads to, or the record of its refusal; None when it is not worse.

    A model that is worse stays so: the key names the model alone, and all looks at it are one request while that is
    open. When it ended and the champion is still the same, the next look asks again, once the use case has rested.
    """
    ask = ask_of(use_case, seen)
    if ask is None:
        return None
    with control_store(settings) as store:
        return store.requests.ask(ask, limits_of(use_case))


def ask_of(use_case: UseCase, seen: ChampionStanding) -> Ask | None:
    """What is asked for because the champion is worse."""
    if seen.judgement is None or seen.standing is not Standing.WORSE:
        return None
    champion = seen.champion
    key = f"performance/{champion.run_id}/{champion.model_id}"
    model = {"version": champion.version, **champion.identity.model_dump()}
    evidence = {"model": model, **figures(seen.judgement)}
    return Ask(use_case.name, Source.PERFORMANCE, key, _reason(champion.version, seen.judgement), ACTOR, evidence)


def figures(judgement: Judgement) -> dict[str, Any]:
    """All that a verdict stands on, as JSON has it."""
    verdict, reference, served = judgement.verdict, judgement.trained.reference, judgement.served
    return {
        "standing": verdict.standing.value,
        "outcomes": judgement.outcomes,
        "outcomes_enough": judgement.outcomes_enough,
        "blocks": verdict.losses,
        "blocks_enough": verdict.enough,
        "mean_loss": verdict.mean,
        "trained_loss": {"value": reference.value, "low": reference.low, "high": reference.high},
        "largest_error": judgement.trained.largest,
        "excess": verdict.excess,
        "since": verdict.since and verdict.since.isoformat(),
        "found_at": verdict.found_at and verdict.found_at.isoformat(),
        "evidence": verdict.evidence,
        "alpha": judgement.rule.alpha,
        "asked_before": served.until.isoformat(),
        "outcomes_version": served.table_version,
    }


def _reason(version: str, judgement: Judgement) -> str:
    verdict, bound = judgement.verdict, judgement.trained.reference.high
    since = f"{verdict.since:%Y-%m-%d}"
    return f"version {version} loses {verdict.mean:.3f} in the mean since {since}, and at most {bound:.3f} at training"
