"""Shares of rows in cells, the bins of a number or the categories of a text: PSI and the chi-square test.

The population stability index is the sum of (p - q) log(p / q) over cells: the symmetric Kullback-Leibler divergence
(Jeffreys 1946). When nothing has changed it is about a chi-square of cells - 1, times 1/n + 1/m (Yurdakul and Naranjo,
"Statistical properties of the population stability index", 2020): one limit for all sample sizes is wrong for most.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc, chdtri

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
    """Pearson's chi-square test that both sides have the same shares; small cells are pooled first.

    The variance that sketches add stands beside that of each difference, which makes the test a little too careful.
    """
    pooled = pool(cells)
    count = len(pooled.reference)
    if count < 2:
        return 1.0
    total = pooled.reference + pooled.current
    expected = total / total.sum()
    difference = pooled.current / pooled.current.sum() - pooled.reference / pooled.reference.sum()
    statistic = (difference**2 / (expected * pooled.inverse_rows + pooled.share_variance)).sum()
    return float(chdtrc(count - 1, statistic))


def pool(cells: Cells) -> Cells:
    """The same rows, with the cells that are too small put together, smallest first, until none is."""
    total = cells.reference + cells.current
    lesser = min(cells.reference.sum(), cells.current.sum()) / total.sum()
    order = np.argsort(total, kind="stable")
    together = np.cumsum(total[order]) * lesser
    small = total[order] * lesser < LEAST_EXPECTED
    if not small.any():
        return cells
    last = max(int(small.sum()), int(np.searchsorted(together, LEAST_EXPECTED)) + 1)
    reference, current = (_first_together(side[order], last) for side in (cells.reference, cells.current))
    return Cells(reference, current, cells.share_variance)


def _first_together(rows: Floats, count: int) -> Floats:
    return np.append(rows[:count].sum(), rows[count:])


def _smoothed(rows: Floats) -> Floats:
    smoothed = rows + SMOOTHING
    return np.asarray(smoothed / smoothed.sum())
