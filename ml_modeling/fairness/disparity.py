"""How far groups lie apart, and how sure that is: one interval for all pairs of groups at once.

The largest of many differences is never zero, not even between groups drawn by lot: with five groups there are ten
pairs, and one of them lies outside of its own interval soon enough. So the intervals of all pairs are made to hold
together, as often as the confidence says, by the bootstrap of the largest studentised deviation (max-T: Westfall and
Young 1993, "Resampling-Based Multiple Testing").
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ml_modeling.evaluation.estimate import Estimate
from ml_modeling.frames.examples import Floats


@dataclass(frozen=True)
class Apart:
    """The two groups, as places, that lie furthest apart, and how far."""

    highest: int
    lowest: int
    difference: Estimate
    ratio: Estimate | None


def furthest(values: Sequence[float], draws: Floats, confidence: float, with_ratio: bool) -> Apart:
    """The disparity between at least two groups: ``values`` (groups,), and ``draws`` of them (replicates, groups)."""
    point = np.asarray(values, dtype=np.float64)
    pairs = [(a, b) if point[a] >= point[b] else (b, a) for a, b in itertools.combinations(range(len(point)), 2)]
    high, low = (np.array(places) for places in zip(*pairs, strict=True))
    apart = int(np.argmax(point[high] - point[low]))
    lower, upper = _together(point[high] - point[low], draws[:, high] - draws[:, low], confidence)
    difference = Estimate(
        value=float(point[high[apart]] - point[low[apart]]),
        low=float(max(lower.max(), 0)),
        high=float(upper.max()),
    )
    ratio = _ratio((point[low], point[high]), (draws[:, low], draws[:, high]), confidence) if with_ratio else None
    return Apart(int(high[apart]), int(low[apart]), difference, ratio)


def _ratio(values: tuple[Floats, Floats], draws: tuple[Floats, Floats], confidence: float) -> Estimate:
    """The smallest ratio of lower by higher; two groups of which both have zero are alike."""
    point = _divided(*values)
    lower, upper = _together(point, _divided(*draws), confidence)
    return Estimate(value=float(point.min()), low=float(max(lower.min(), 0)), high=float(upper.min()))


def _divided(lower: Floats, higher: Floats) -> Floats:
    return np.divide(lower, higher, out=np.where(lower == 0, 1.0, np.nan), where=higher > 0)


def _together(values: Floats, draws: Floats, confidence: float) -> tuple[Floats, Floats]:
    """Bounds (pairs,) of ``values`` that hold for all pairs at once; a replicate without a group says nothing of it."""
    deviations = np.abs(draws - values)
    errors = np.nan_to_num(np.nanstd(draws, axis=0))
    studentised = np.divide(deviations, errors, out=np.zeros_like(deviations), where=errors > 0)
    widest = np.nanmax(studentised, axis=1, initial=0.0)
    reach = float(np.quantile(widest, confidence)) * errors
    return values - reach, values + reach
