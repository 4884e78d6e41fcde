"""Whether the groups of a model keep within the limits of ``model.yaml``."""

from feature_store.definitions import Task
from ml_modeling.fairness.groups import measured
from ml_modeling.fairness.report import Disparity
from ml_modeling.frames.examples import Examples
from ml_modeling.specification import Fairness, Limit
from ml_modeling.tasks.scoring import Scoring


def excess(task: Task, examples: Examples, scoring: Scoring, fairness: Fairness) -> float:
    """By how much the worst disparity is beyond its limit; 0 when none is."""
    beyond = [0.0]
    for found in measured(task, examples, scoring, fairness):
        limit, judged = fairness.gates.get(found.metric), found.judged(fairness.min_examples)
        if limit is None or len(judged) < 2:
            continue
        low, high = float(found.values[judged].min()), float(found.values[judged].max())
        if limit.difference is not None:
            beyond.append(high - low - limit.difference)
        elif limit.ratio is not None and high > 0:
            beyond.append(limit.ratio - low / high)
    return max(beyond)


def is_kept(disparity: Disparity, limit: Limit) -> bool:
    """False when even the end of the interval that is nearer to equality is beyond the limit."""
    if limit.difference is not None:
        return disparity.difference is None or disparity.difference.low <= limit.difference
    return disparity.ratio is None or disparity.ratio.high >= (limit.ratio or 0.0)


def told(disparity: Disparity, limit: Limit) -> str:
    """What was found, in words."""
    more = f"; too small to be judged: {', '.join(disparity.too_small)}" if disparity.too_small else ""
    if disparity.difference is None:
        return f"nothing to compare: large enough is {' '.join(disparity.judged) or 'no group'} alone{more}"
    between = f"between {disparity.highest} and {disparity.lowest}"
    if limit.difference is not None:
        bound = f"the lower bound must not be above {limit.difference}"
        return f"the difference {between} is {disparity.difference}; {bound}{more}"
    return f"the ratio {between} is {disparity.ratio}; the upper bound must not be below {limit.ratio}{more}"
