"""Have the values of a numeric column changed? Three distances between two sketches, and how sure they are.

With n and m rows, and rank errors of the sketches of standard deviations s and t (zero where a sketch holds its column
whole), the difference of two empirical distribution functions at the rank u has the variance
u (1 - u) (1/n + 1/m) + s**2 + t**2. In the middle, where the supremum is, that is a quarter of
1/N = 1/n + 1/m + 4 (s**2 + t**2), and everywhere at most it and the sketches' part. So the Kolmogorov-Smirnov test is
that of N rows: its null distribution is Kolmogorov's at sqrt(N) D (Smirnov 1939).
"""

import math

import numpy as np
from scipy.special import kolmogorov

from monitoring.drift.cells import Cells, homogeneity_p_value, psi, psi_at_chance
from monitoring.drift.limits import EffectLimits, shift_of_kolmogorov_smirnov, shift_of_psi
from monitoring.drift.null_distribution import ks_at_chance, wasserstein_at_chance
from monitoring.drift.verdict import Aspect, Finding, Statistic
from monitoring.profiles.moments import Floats
from monitoring.profiles.numeric import NumericProfile
from monitoring.profiles.quantiles import Quantiles

BINS = 10


def distribution(
    name: str, reference: NumericProfile, current: NumericProfile, limits: EffectLimits, alpha: float
) -> Finding:
    """Whether the finite values of both come from one distribution.

    The p-value is twice the lesser of that of Kolmogorov-Smirnov, which sees a column that moves, and of the chi-square
    test over the reference's deciles, which sees it widen (Bonferroni). A limit is what matters, or what chance reaches
    with probability ``alpha`` if that is more. Both sides must have values.
    """
    before, now = reference.quantiles, current.quantiles
    inverse_rows = inverse_effective_rows(before, now)
    distance = ks_distance(before, now)
    cells = binned(before, now)
    index = psi(cells)
    statistics = [
        Statistic(
            "kolmogorov_smirnov",
            distance,
            max(limits.kolmogorov_smirnov, ks_at_chance(inverse_rows, alpha)),
            shift_of_kolmogorov_smirnov(distance),
        ),
        Statistic("psi", index, max(limits.psi, psi_at_chance(cells, alpha)), shift_of_psi(index)),
    ]
    if scale := reference.scale:
        moved = wasserstein_distance(before, now) / scale
        by_chance = wasserstein_at_chance(before, inverse_rows, alpha) / scale
        statistics.append(Statistic("wasserstein", moved, max(limits.wasserstein, by_chance), moved))
    p_value = min(1.0, 2 * min(ks_p_value(distance, inverse_rows), homogeneity_p_value(cells)))
    return Finding(name, Aspect.DISTRIBUTION, tuple(statistics), p_value)


def inverse_effective_rows(one: Quantiles, other: Quantiles) -> float:
    """1/n + 1/m, and what the sketches' errors add to it."""
    errors = one.rank_error**2 + other.rank_error**2
    return 1 / one.count + 1 / other.count + 4 * errors


def ks_distance(one: Quantiles, other: Quantiles) -> float:
    """The largest difference between the two distribution functions (Kolmogorov-Smirnov)."""
    points = _steps(one, other)
    return float(np.abs(one.rank(points) - other.rank(points)).max())


def ks_p_value(distance: float, inverse_rows: float) -> float:
    """The probability of such a distance when nothing has changed, asymptotically; too high when values repeat."""
    return float(kolmogorov(distance / math.sqrt(inverse_rows)))


def wasserstein_distance(one: Quantiles, other: Quantiles) -> float:
    """The area between the two distribution functions: how far values have to move in the mean (Wasserstein 1)."""
    points = _steps(one, other)
    apart = np.abs(one.rank(points) - other.rank(points))
    return float((apart[:-1] * np.diff(points)).sum())


def binned(reference: Quantiles, current: Quantiles) -> Cells:
    """Both sides in the reference's bins."""
    edges = bin_edges(reference)
    share_variance = reference.share_error**2 + current.share_error**2
    return Cells(_rows_between(reference, edges), _rows_between(current, edges), share_variance)


def bin_edges(reference: Quantiles) -> Floats:
    """The upper ends, inclusive, of all bins but the last: deciles of the reference.

    A value that is more than one decile has a bin of its own.
    """
    deciles, times = np.unique(reference.quantile(np.arange(1, BINS) / BINS), return_counts=True)
    own = deciles[times > 1]
    return np.union1d(deciles, np.nextafter(own, -np.inf))


def _rows_between(side: Quantiles, edges: Floats) -> Floats:
    shares = np.diff(np.concatenate(([0.0], side.rank(edges), [1.0])))
    return shares * side.count


def _steps(one: Quantiles, other: Quantiles) -> Floats:
    return np.union1d(one.values, other.values)
