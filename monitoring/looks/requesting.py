"""From a look that found drift to a request for a new model."""

from typing import Any

from monitoring.control import Ask, Limits, RetrainRequest, Source, Suppressed, control_store
from monitoring.drift import Aspect, Verdict
from monitoring.looks.results import Subject, Verdicts, leading_statistic
from tidemill.config.settings import Settings

HEALED = frozenset({Aspect.DISTRIBUTION, Aspect.MISSING, Aspect.RANGE, Aspect.UNSEEN, Aspect.TOGETHER})
"""What a model may learn anew. Few answers, or old ones, are an outage, which no training ends."""
ACTOR = "drift monitor"
NAMED = 3


def request(settings: Settings, subject: Subject, look: Verdicts, limits: Limits) -> RetrainRequest | Suppressed | None:
    """The request that the drift of ``look`` leads to, or the record of its refusal; None when nothing calls for one.

    Whatever of a model's inputs has drifted, a new model is the one answer: so the key names the model alone, and
    looks that find other features every time are one request.
    """
    ask = ask_of(subject, look)
    if ask is None:
        return None
    with control_store(settings) as store:
        return store.requests.ask(ask, limits)


def ask_of(subject: Subject, look: Verdicts) -> Ask | None:
    """What is asked for because of ``look``."""
    drifted = [verdict for verdict in look.drifted if verdict.finding.aspect in HEALED]
    if not drifted:
        return None
    evidence = {
        "look": look.look_id,
        "from": look.window.begin.isoformat(),
        "to": look.window.end.isoformat(),
        "judged": look.counts.judged,
        "alpha": look.alpha,
        "model": {"version": subject.version, **subject.identity.model_dump()},
        "drifted": [_figures(verdict) for verdict in drifted],
    }
    key = f"drift/{subject.identity.run_id}/{subject.identity.model_id}"
    return Ask(subject.use_case, Source.DRIFT, key, _reason(subject, drifted), ACTOR, evidence)


def _reason(subject: Subject, drifted: list[Verdict]) -> str:
    ordered = sorted(drifted, key=lambda verdict: -verdict.finding.shift)
    names = list(dict.fromkeys(verdict.finding.feature or "features together" for verdict in ordered))
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{', '.join(names[:NAMED])}{more} drifted from what version {subject.version} learnt from"


def _figures(verdict: Verdict) -> dict[str, Any]:
    finding = verdict.finding
    leading = leading_statistic(finding)
    return {
        "feature": finding.feature,
        "aspect": str(finding.aspect),
        "statistic": leading.name if leading else None,
        "effect": leading.value if leading else None,
        "limit": leading.limit if leading else None,
        "adjusted_p_value": verdict.adjusted_p_value,
        "since": verdict.since.isoformat() if verdict.since else None,
        "importance": verdict.importance,
    }
