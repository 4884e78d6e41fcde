"""How large distances become by chance alone: the thresholds of effects, calibrated on the reference itself.

Resampling each column of the reference costs as many draws as the window has rows, hundreds of times, for each column.
But a column's values are its quantiles at ranks that are uniform, whatever the column: so windows of ranks are drawn,
as counts between ``RANKS``, once for all columns of so many rows, and a column's quantiles turn them into its own
distances. A test compares what comes out with resampling row by row.
"""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import kolmogi

from monitoring.profiles.moments import Floats
from monitoring.profiles.quantiles import Quantiles

WINDOWS = 2000
SEED = 20
_TAIL = np.geomspace(1e-5, 1e-2, 25)
RANKS: NDArray[np.float64] = np.concatenate(([0.0], _TAIL, np.linspace(0.01, 0.99, 197)[1:-1], 1 - _TAIL[::-1], [1.0]))
"""The tails are finer, since a heavy one is a long way."""


def ks_at_chance(inverse_rows: float, alpha: float) -> float:
    """What the Kolmogorov-Smirnov distance exceeds with probability ``alpha`` when nothing has changed.

    From the asymptotic law, which is too careful for a column of few values.
    """
    return float(kolmogi(alpha) * math.sqrt(inverse_rows))


def wasserstein_at_chance(reference: Quantiles, inverse_rows: float, alpha: float) -> float:
    """The same for the distance of Wasserstein, in units of the column, from ``WINDOWS`` drawn windows.

    ``alpha`` below 1 / ``WINDOWS`` gives the largest distance that was drawn.
    """
    rows = _two_digits(1 / inverse_rows)
    # Not a product by BLAS: its threads wait for each other longer than one takes.
    distances = np.einsum("ij,j->i", _windows(rows), np.diff(reference.quantile(RANKS)))
    return float(np.quantile(distances, 1 - alpha) * math.sqrt(inverse_rows * rows))


def _two_digits(rows: float) -> int:
    """Windows of nearly as many rows share what was drawn; distances differ by the root of the rows."""
    return max(1, int(float(f"{rows:.1e}")))


@lru_cache(maxsize=32)
def _windows(rows: int) -> Floats:
    """How far the ranks of ``rows`` uniform draws are from uniform, between ``RANKS``: (WINDOWS, intervals)."""
    random = np.random.default_rng([SEED, rows])
    counts = random.multinomial(rows, np.diff(RANKS), size=WINDOWS)
    apart = np.abs(np.cumsum(counts, axis=1) / rows - RANKS[1:])
    before = np.concatenate((np.zeros((WINDOWS, 1)), apart[:, :-1]), axis=1)
    return np.asarray((apart + before) / 2)
