"""Whether a model is worse than it was at training, from the losses of its predictions."""

import math
from collections.abc import Sequence
from datetime import datetime

import numpy as np

from monitoring.performance.betting import evidence, spread
from monitoring.performance.losses import Floats
from monitoring.performance.standing import Reference, Rule, Standing, Verdict

LEAST = 0.01


def judge(losses: Floats, times: Sequence[datetime], reference: Reference, rule: Rule | None = None) -> Verdict:
    """How a model stands by ``losses`` (n,) between 0 and 1 of predictions made at ``times`` (n,), in that order.

    Which ones may be given, when verdicts are late, ``settled`` says; in the order in which outcomes become known the
    promise does not hold, for what is known early depends on what it says.

    All losses since the model answers are given at each look, so the answer depends on them and not on the looks. A
    model is worse when its mean loss rose above the reference's interval; one that was found so stays worse.

    Raises:
        ValueError: a loss lies outside of 0 to 1, or there is not one for each time.
    """
    if len(losses) != len(times):
        raise ValueError(f"{len(losses)} losses at {len(times)} times")
    if len(losses) and not (losses.min() >= 0 and losses.max() <= 1):
        raise ValueError(f"losses lie between 0 and 1, and not from {losses.min()} to {losses.max()}")
    asked = rule or Rule()
    enough = losses_enough(reference, asked)
    if not len(losses):
        return Verdict(Standing.UNKNOWN, 0, enough, None, 1.0)
    found = evidence(losses, reference.high)
    strongest = math.exp(min(max(float(found.log_e.max()), 0.0), 700.0))
    crossed = np.flatnonzero(found.log_e >= -math.log(asked.alpha))
    if not len(crossed):
        standing = Standing.FINE if len(losses) >= enough else Standing.UNKNOWN
        return Verdict(standing, len(losses), enough, float(losses.mean()), strongest)
    first = int(crossed[0])
    begin = int(found.begins[first])
    mean = float(losses[begin:].mean())
    excess = mean - reference.high
    return Verdict(Standing.WORSE, len(losses), enough, mean, strongest, times[first], times[begin], excess)


def losses_enough(reference: Reference, rule: Rule) -> int:
    """After how many losses a rise by the smallest that counts is found, in the mean, when it is there from the start.

    Of losses with this mean none vary more than those that are 0 or 1, for which the logarithm of the best bet grows by
    the Kullback-Leibler divergence of two coins; what is spread over bets and beginnings has to be won back first.
    """
    m = reference.high
    smallest = rule.smallest if rule.smallest is not None else max(reference.high - reference.value, LEAST)
    worse = min(m + smallest, (m + 1) / 2)
    growth = worse * math.log(worse / m) + (1 - worse) * math.log((1 - worse) / (1 - m))
    return math.ceil((spread() - math.log(rule.alpha)) / growth)
