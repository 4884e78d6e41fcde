"""How sure a metric is: percentile intervals of the cluster bootstrap, all replicates at once.

The same entity stands at several cutoffs and its rows are not independent, so whole entities are drawn with
replacement, not rows (Field and Welsh 2007, "Bootstrapping clustered data"). A replicate is a weight for each row:
how often its entity was drawn. Every metric is computed from these weights by matrix operations. Two scorings are
compared on the same draws (paired), which takes the luck of the draw out of their difference.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from ml_modeling.frames.examples import Floats, Integers
from ml_modeling.specification import Bootstrap

CELLS = 4_000_000  # weights held at once: 32 MB, and a few arrays of that size on the way

WeightedMetrics = Callable[[Floats], Mapping[str, Floats]]
"""From weights (replicates, n) to each metric (replicates,)."""


@dataclass(frozen=True)
class Interval:
    """``low`` to ``high`` holds the metric with the rule's confidence."""

    low: float
    high: float


def replicates(entities: Integers, rule: Bootstrap, weighted: WeightedMetrics) -> Mapping[str, Floats]:
    """Each metric in each replicate: arrays of shape (replicates,). The same rule draws the same replicates."""
    parts = [weighted(weights) for weights in _draws(entities, rule)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def intervals(values: Mapping[str, Floats], confidence: float) -> dict[str, Interval]:
    """The percentile interval of each metric; replicates that drew one label only count for none."""
    return {name: percentiles(column, confidence) for name, column in values.items()}


def difference(new: Mapping[str, Floats], old: Mapping[str, Floats], metric: str, confidence: float) -> Interval:
    """The interval of new minus old over replicates of the same rule."""
    return percentiles(new[metric] - old[metric], confidence)


def percentiles(values: Floats, confidence: float) -> Interval:
    """The interval of one metric over its replicates."""
    tail = (1 - confidence) / 2 * 100
    low, high = np.nanpercentile(values, [tail, 100 - tail])
    return Interval(float(low), float(high))


def _draws(entities: Integers, rule: Bootstrap) -> Iterator[Floats]:
    """Weights of shape (replicates, n), in blocks of rows that fit into memory."""
    random = np.random.default_rng(rule.seed)
    names, rows = np.unique(entities, return_inverse=True)
    block = max(1, CELLS // max(len(rows), len(names)))
    for start in range(0, rule.replicates, block):
        count = min(block, rule.replicates - start)
        drawn = random.integers(0, len(names), size=(count, len(names)))
        drawn += np.arange(count)[:, None] * len(names)
        times = np.bincount(drawn.ravel(), minlength=count * len(names)).reshape(count, len(names))
        yield times[:, rows].astype(np.float64)


def weighted_roc_auc(weights: Floats, y: Integers, scores: Floats) -> Floats:
    """ROC AUC of each row of ``weights`` (m, n): the weighted share of pairs ranked right, ties counting half.

    Nan where only one label has weight.
    """
    positives, negatives = _by_score(weights, y, scores)
    below = np.cumsum(negatives, axis=1) - negatives
    with np.errstate(invalid="ignore", divide="ignore"):
        wins: Floats = (positives * (below + 0.5 * negatives)).sum(axis=1)
        auc: Floats = wins / (positives.sum(axis=1) * negatives.sum(axis=1))
    return auc


def weighted_average_precision(weights: Floats, y: Integers, scores: Floats) -> Floats:
    """Average precision of each row of ``weights`` (m, n): precision at each score, weighted by the recall gained.

    Nan where no positive has weight.
    """
    positives, negatives = (part[:, ::-1] for part in _by_score(weights, y, scores))
    found = np.cumsum(positives, axis=1)
    chosen = found + np.cumsum(negatives, axis=1)
    precision = np.divide(found, chosen, out=np.zeros_like(found), where=chosen > 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        average: Floats = (precision * positives).sum(axis=1) / positives.sum(axis=1)
    return average


def _by_score(weights: Floats, y: Integers, scores: Floats) -> tuple[Floats, Floats]:
    """The weight of positives and of negatives at each distinct score, ascending: two arrays (m, distinct)."""
    order = np.argsort(scores, kind="stable")
    ranked = scores[order]
    starts = np.flatnonzero(np.append(True, ranked[1:] != ranked[:-1]))
    sorted_weights = weights[:, order]
    positives = np.add.reduceat(sorted_weights * y[order], starts, axis=1)
    return positives, np.add.reduceat(sorted_weights, starts, axis=1) - positives
