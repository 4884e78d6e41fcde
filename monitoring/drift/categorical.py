"""Have the categories of a column changed: their shares, and whether there are ones that the model has never seen?"""

import numpy as np
from scipy.stats import binom, poisson

from monitoring.drift.cells import Cells, homogeneity_p_value, psi, psi_at_chance
from monitoring.drift.limits import EffectLimits, cohens_h, shift_of_psi
from monitoring.drift.verdict import Aspect, Finding, Statistic
from monitoring.profiles.categorical import BUCKETS, CategoricalProfile

ROWS_A_BUCKET = 10


def distribution(
    name: str, reference: CategoricalProfile, current: CategoricalProfile, limits: EffectLimits, alpha: float
) -> Finding:
    """Whether both have the same shares of categories: chi-square test and PSI. Both sides must have values.

    Where there are too many categories to count each, rows are compared by the hash of their category.
    """
    cells = compared(reference, current)
    index = psi(cells)
    limit = max(limits.psi, psi_at_chance(cells, alpha))
    statistic = Statistic("psi", index, limit, shift_of_psi(index))
    return Finding(name, Aspect.DISTRIBUTION, (statistic,), homogeneity_p_value(cells))


def compared(reference: CategoricalProfile, current: CategoricalProfile) -> Cells:
    """Rows a category, or a bucket of categories where not all are known."""
    if reference.is_exact and current.is_exact:
        names = sorted({*reference.counts, *current.counts})
        before, now = (
            np.array([side.counts.get(name, 0) for name in names], dtype=np.float64) for side in (reference, current)
        )
        return Cells(before, now)
    buckets = BUCKETS
    while buckets > 2 and buckets * ROWS_A_BUCKET > min(reference.count, current.count):
        buckets //= 2
    before, now = (side.buckets.reshape(-1, buckets).sum(axis=0).astype(np.float64) for side in (reference, current))
    return Cells(before, now)


def unseen(
    name: str, reference: CategoricalProfile, current: CategoricalProfile, limits: EffectLimits, alpha: float
) -> Finding:
    """Whether more rows have a category that the reference lacks than a finite reference explains.

    The share of what a sample has not seen is about that of its categories that it has seen once (Good 1953, after
    Turing). So rows of unseen categories (x) and those once-seen (s) are counts of one rate, over n and m rows: given
    their sum, x is binomial with the share n / (n + m).
    """
    if not reference.is_exact:
        return Finding(name, Aspect.UNSEEN, unknown="the reference has more categories than are counted one by one")
    rows = current.count
    new = sum(count for category, count in current.counts.items() if category not in reference.counts)
    once = 1 + sum(1 for count in reference.counts.values() if count == 1)
    expected = rows * once / reference.count
    by_chance = min(1.0, float(poisson.isf(alpha, expected)) / rows)
    effect = cohens_h(new / rows, 0.0)
    statistic = Statistic("unseen_share", effect, max(limits.cohens_h, cohens_h(by_chance, 0.0)), effect)
    p_value = float(binom.sf(new - 1, new + once, rows / (rows + reference.count)))
    return Finding(name, Aspect.UNSEEN, (statistic,), p_value)
