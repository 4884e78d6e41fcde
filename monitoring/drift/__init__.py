"""Is what comes now still what the model learnt from? Verdicts from two profiles, with their false alarms bounded."""

from monitoring.drift.judge import Current, Judgement, Policy, Reference, judge
from monitoring.drift.limits import EffectLimits
from monitoring.drift.looks import Budget, EarlierLookError, Looks
from monitoring.drift.verdict import Aspect, Finding, Outcome, Statistic, Verdict

__all__ = [
    "Aspect",
    "Budget",
    "Current",
    "EarlierLookError",
    "EffectLimits",
    "Finding",
    "Judgement",
    "Looks",
    "Outcome",
    "Policy",
    "Reference",
    "Statistic",
    "Verdict",
    "judge",
]
