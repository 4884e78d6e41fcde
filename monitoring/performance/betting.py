"""Evidence against "the mean loss is at most m", by betting: valid however often, and whenever, somebody looks.

Somebody who starts with 1 and stakes on each loss being above m multiplies what they have by 1 + bet (loss - m). When
the mean of each loss given the past is at most m, they cannot expect to gain, and by Ville's inequality ever have
1 / alpha with probability at most alpha. Source: I. Waudby-Smith and A. Ramdas, "Estimating means of bounded random
variables by betting", Journal of the Royal Statistical Society B, 2024, section 4.

What they have is spread in advance over bets of several sizes (the paper's section B, betting on a grid), and over the
losses to begin with: a model may become worse after months, and who had bet since the first day would have lost by then
(mixtures over the beginning as in J. Shin, A. Ramdas and A. Rinaldo, "E-detectors", 2022). A mixture of such processes
is one again.
"""

from dataclasses import dataclass

import numpy as np

from monitoring.performance.losses import Floats, Integers

SHARES = np.geomspace(0.002, 0.9, 16)
"""The sizes of bets as parts of the largest that cannot lose more than there is, 1 / m."""


@dataclass(frozen=True)
class Evidence:
    """``log_e`` (n,) is the logarithm of the e-value after each loss; ``begins`` the most likely beginning at each.

    A beginning is the number of a loss, from 0.
    """

    log_e: Floats
    begins: Integers


def evidence(losses: Floats, m: float) -> Evidence:
    """Of ``losses`` (n,) between 0 and 1 in the order of the predictions; ``m`` lies between 0 and 1."""
    weights, rest = _beginnings(len(losses))
    log_e = np.log(rest)
    best, begins = np.full(len(losses), -np.inf), np.zeros(len(losses), dtype=np.int64)
    for bet in SHARES / m:
        gains = np.cumsum(np.log1p(bet * (losses - m)))
        before = np.log(weights) - np.concatenate([[0.0], gains[:-1]])
        log_e = np.logaddexp(log_e, gains + np.logaddexp.accumulate(before) - np.log(len(SHARES)))
        highest = np.maximum.accumulate(before)
        is_new = before == highest
        started = np.maximum.accumulate(np.where(is_new, np.arange(len(losses)), 0))
        is_better = gains + highest > best
        best, begins = np.where(is_better, gains + highest, best), np.where(is_better, started, begins)
    return Evidence(log_e, begins)


def _beginnings(n: int) -> tuple[Floats, Floats]:
    """The share that begins at each loss, and what has not begun after it: 1 / (k log^2 k), about, and 1 in all."""
    ends = np.log(2) / np.log(np.arange(2, n + 3))
    return ends[:-1] - ends[1:], ends[1:]


def spread() -> float:
    """The logarithm of how much less is staked on one bet from the first loss on than there is."""
    return float(np.log(len(SHARES)) - np.log(_beginnings(1)[0][0]))
