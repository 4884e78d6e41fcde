"""Shares of rows in cells, the bins of a number or the categories of a text: PSI and the chi-square test.

The population stability index is the sum of (p - q) log(p / q) over cells: the symmetric Kullback-Leibler divergence
(Jeffreys 1946). When nothing has changed it is about a chi-square of cells - 1, times 1/n + 1/m (Yurdakul and Naranjo,
"Statistical properties of the population stability index", 2020): one limit for all sample sizes is wrong for most.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc, chdtri

from monitoring.drift.proportions import Share, two_proportions_p_value
from monitoring.profiles.moments import Floats

SMOOTHING = 0.5
"""Rows added to each cell, so that an empty one has a logarithm (Krichevsky and Trofimov 1981)."""
LEAST_EXPECTED = 5.0
"""Rows that a cell must be expected to have on both sides for the chi-square test (Cochran 1954)."""


@dataclass(frozen=True)
class Cells:
    """Rows in each cell (k,) of the reference and of what is current.

    ``share_variance`` is what sketches add to the variance of the difference of a cell's shares.
    """

    reference: Floats
    current: Floats
    share_variance: float = 0.0

    @property
    def inverse_rows(self) -> float:
        """1/n + 1/m."""
        return float(1 / self.reference.sum() + 1 / self.current.sum())


def psi(cells: Cells) -> float:
    """The population stability index of smoothed shares."""
    p, q = _smoothed(cells.current), _smoothed(cells.reference)
    return float(((p - q) * np.log(p / q)).sum())


def psi_at_chance(cells: Cells, alpha: float) -> float:
    """What PSI exceeds with probability ``alpha`` when nothing has changed."""
    count = len(cells.reference)
    if count < 2:
        return 0.0
    spread = cells.inverse_rows + count * cells.share_variance
    return float(chdtri(count - 1, alpha) * spread)


def homogeneity_p_value(cells: Cells) -> float:
    """Pearson's chi-square test that both sides have the same shares.

    Cells that are too small are pooled (``pool``). If they are too small even together, Fisher's exact test judges
    them, and chi-square the others (Bonferroni): a category that was rare and no longer is must not be lost in a
    larger one. The variance that sketches add stands beside that of each difference: a little too careful.
    """
    pooled = pool(cells)
    if pooled.small is None:
        return _pearson(pooled.large)
    exact = two_proportions_p_value(*pooled.small)
    return exact if len(pooled.large.reference) < 2 else min(1.0, 2 * min(_pearson(pooled.large), exact))


@dataclass(frozen=True)
class Pooled:
    """``small`` are the shares, before and now, of all cells that are too small even together."""

    large: Cells
    small: tuple[Share, Share] | None = None


def pool(cells: Cells) -> Pooled:
    """The same rows, with the cells put together that are too small.

    Of sketches no cell is exact, so what is too small even together joins the next larger cell.
    """
    total = cells.reference + cells.current
    lesser = min(cells.reference.sum(), cells.current.sum()) / total.sum()
    order = np.argsort(total, kind="stable")
    count = int((total * lesser < LEAST_EXPECTED).sum())
    before, now = cells.reference[order], cells.current[order]
    if total[order[:count]].sum() * lesser < LEAST_EXPECTED:
        if not cells.share_variance:
            small = tuple(Share(round(side[:count].sum()), round(side.sum())) for side in (before, now))
            return Pooled(Cells(before[count:], now[count:]), (small[0], small[1]) if count else None)
        count = count + 1 if count else 0
    if not count:
        return Pooled(cells)
    return Pooled(Cells(_first_together(before, count), _first_together(now, count), cells.share_variance))


def _first_together(rows: Floats, count: int) -> Floats:
    return np.append(rows[:count].sum(), rows[count:])


def _pearson(cells: Cells) -> float:
    count = len(cells.reference)
    if count < 2:
        return 1.0
    total = cells.reference + cells.current
    expected = total / total.sum()
    difference = cells.current / cells.current.sum() - cells.reference / cells.reference.sum()
    statistic = (difference**2 / (expected * cells.inverse_rows + cells.share_variance)).sum()
    return float(chdtrc(count - 1, statistic))


def _smoothed(rows: Floats) -> Floats:
    smoothed = rows + SMOOTHING
    return np.asarray(smoothed / smoothed.sum())
