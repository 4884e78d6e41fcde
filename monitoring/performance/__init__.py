"""Is a served model worse than it was at training? Told from what came true, however often somebody looks."""

from monitoring.performance.judge import judge
from monitoring.performance.losses import absolute_errors, class_losses, squared_errors
from monitoring.performance.settled import settled
from monitoring.performance.standing import LossReferenceError, Reference, Rule, Standing, Verdict

__all__ = [
    "LossReferenceError",
    "Reference",
    "Rule",
    "Standing",
    "Verdict",
    "absolute_errors",
    "class_losses",
    "judge",
    "settled",
    "squared_errors",
]
