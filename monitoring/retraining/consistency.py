"""From features that were served otherwise than the lake has them to a request for a new model."""

from feature_store.consistency.check import Consistency
from ml_modeling.use_case import UseCase
from monitoring.control import Ask, RetrainRequest, Source, Suppressed, control_store
from monitoring.limits import limits_of
from tidemill.config.settings import Settings

ACTOR = "consistency monitor"
KEY = Source.CONSISTENCY.value


def request(
    settings: Settings, use_case: UseCase, found: Consistency, allowed: float
) -> RetrainRequest | Suppressed | None:
    """The request that ``found`` leads to, or the record of its refusal; None when no more differs than ``allowed``.

    Features that are served otherwise than they were learnt from make a model wrong, whichever feature it is: all
    comparisons are one request while that is open.
    """
    ask = ask_of(use_case.name, found, allowed)
    if ask is None:
        return None
    with control_store(settings) as store:
        return store.requests.ask(ask, limits_of(use_case))


def ask_of(use_case: str, found: Consistency, allowed: float) -> Ask | None:
    """What is asked for because a share of the values above ``allowed`` differs."""
    if found.rate <= allowed:
        return None
    differing = {
        feature.feature: {"mismatched": feature.mismatched, "missing": feature.missing, "extra": feature.extra}
        for feature in found.features
        if feature.mismatched + feature.missing + feature.extra
    }
    evidence = {
        "from": found.begin.isoformat(),
        "to": found.end.isoformat(),
        "fetches": found.fetches,
        "rate": found.rate,
        "allowed": allowed,
        "features": differing,
    }
    of = f"of {len(differing)} feature{'s' if len(differing) > 1 else ''}"
    reason = f"{found.rate:.2%} of the values, {of}, were served otherwise than the lake has them"
    return Ask(use_case, Source.CONSISTENCY, KEY, reason, ACTOR, evidence)
