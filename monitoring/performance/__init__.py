"""Is a served model worse than it was at training? Told from what came true, however often somebody looks."""

from monitoring.performance.judge import judge
from monitoring.performance.losses import squared_errors
from monitoring.performance.standing import LossReferenceError, Reference, Rule, Standing, Verdict

__all__ = [
    "LossReferenceError",
    "Reference",
    "Rule",
    "Standing",
    "Verdict",
    "judge",
    "squared_errors",
]
