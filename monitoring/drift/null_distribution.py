"""How large distances become by chance alone: the thresholds of effects, calibrated on the reference itself.

Resampling the reference, n rows at a time, and measuring each sample's distance from it costs n draws a sample and
feature, again at every sample size. The difference of the two distribution functions, times the root of the rows, tends
to a Brownian bridge over ranks (Donsker 1952), one for all columns: it is drawn once, and a column's quantiles turn it
into that column's distance. A test compares what comes out with resampling row by row.
"""

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import kolmogi

from monitoring.profiles.moments import Floats
from monitoring.profiles.quantiles import Quantiles

PATHS = 4000
SEED = 20
_TAIL = np.geomspace(1e-5, 1e-2, 25)
RANKS: NDArray[np.float64] = np.concatenate(([0.0], _TAIL, np.linspace(0.01, 0.99, 197)[1:-1], 1 - _TAIL[::-1], [1.0]))
"""Between these a bridge is taken as constant; the tails are finer, since a heavy one is a long way."""


def ks_at_chance(inverse_rows: float, alpha: float) -> float:
    """What the Kolmogorov-Smirnov distance exceeds with probability ``alpha`` when nothing has changed.

    From the asymptotic law, which is too careful for a column of few values.
    """
    return float(kolmogi(alpha) * math.sqrt(inverse_rows))


def wasserstein_at_chance(reference: Quantiles, inverse_rows: float, alpha: float) -> float:
    """The same for the distance of Wasserstein, in units of the column.

    ``alpha`` below 1 / ``PATHS`` gives the largest distance that was drawn.
    """
    widths = np.diff(reference.quantile(RANKS))
    # Not a product by BLAS: its threads wait for each other longer than one takes.
    distances = np.einsum("ij,j->i", _bridges(), widths)
    return float(np.quantile(distances, 1 - alpha) * math.sqrt(inverse_rows))


@cache
def _bridges() -> Floats:
    """Absolute values of Brownian bridges in the middle of each interval between ``RANKS``: (PATHS, intervals)."""
    middles = (RANKS[1:] + RANKS[:-1]) / 2
    steps = np.sqrt(np.diff(np.concatenate(([0.0], middles, [1.0]))))
    motion = np.cumsum(np.random.default_rng(SEED).normal(size=(PATHS, len(steps))) * steps, axis=1)
    return np.abs(motion[:, :-1] - motion[:, -1:] * middles)
