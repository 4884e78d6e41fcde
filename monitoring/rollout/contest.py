"""Champion against challenger by what came true, however often, and whenever, somebody looks.

Losses between 0 and 1 come one by one, of either arm. A run of the one arm and the run of the other that follows it
make a pair, and its difference is the mean loss of the challenger's run less that of the champion's: which losses make
a pair follows from whose turn it was alone. When the challenger is no worse, each difference has a mean of at most 0
given those before. Whoever stakes on it being above multiplies what they have by 1 + bet x difference, cannot expect
to gain, and by Ville's inequality ever has 1 / alpha with probability at most alpha. What they have is spread in
advance over bets of several sizes; a mixture of such processes is one again. The other way round it is evidence that
the challenger is better. Source: I. Waudby-Smith and A. Ramdas, "Estimating means of bounded random variables by
betting", Journal of the Royal Statistical Society B (2024), sections 4 and B.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

BETS = np.geomspace(0.01, 0.9, 12)
"""Parts of what they have, which a difference of 1 cannot take all of."""


@dataclass(frozen=True)
class Contest:
    """``champion`` and ``challenger`` losses came true, which made ``pairs`` with a mean ``difference``.

    ``worse`` and ``better`` are the largest logarithms of the e-values that there ever were, against "the challenger is
    no worse" and against "it is no better".
    """

    champion: int = 0
    challenger: int = 0
    pairs: int = 0
    difference: float = 0.0
    worse: float = 0.0
    better: float = 0.0

    def is_worse(self, alpha: float) -> bool:
        return self.worse >= -math.log(alpha)

    def is_better(self, alpha: float) -> bool:
        return self.better >= -math.log(alpha)


def contest(batches: Iterable[Floats], champion: int, challenger: int) -> Contest:
    """The contest of differences (n,) between -1 and 1, in batches in their order; memory stays that of a batch.

    Raises:
        ValueError: a difference lies outside of -1 to 1.
    """
    worse, better = _Stake(), _Stake()
    pairs, total = 0, 0.0
    for differences in batches:
        if len(differences) and not np.abs(differences).max() <= 1:
            raise ValueError(f"differences of losses lie between -1 and 1, and not at {np.abs(differences).max()}")
        pairs += len(differences)
        total += float(differences.sum())
        worse.add(differences)
        better.add(-differences)
    mean = total / pairs if pairs else 0.0
    return Contest(champion, challenger, pairs, mean, worse.largest, better.largest)


class _Stake:
    """What those have who stake on differences above 0, as logarithms by the size of the bet."""

    def __init__(self) -> None:
        self._now = np.zeros(len(BETS))
        self.largest = 0.0

    def add(self, differences: Floats) -> None:
        if not len(differences):
            return
        gains = self._now + np.cumsum(np.log1p(np.outer(differences, BETS)), axis=0)
        mixed = np.logaddexp.reduce(gains, axis=1) - math.log(len(BETS))
        self.largest = max(self.largest, float(mixed.max()))
        self._now = gains[-1]
