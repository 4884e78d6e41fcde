"""How much is enough to matter: one number for all statistics.

With a limit for each statistic nobody knows whether a PSI of 0.1 is more than a null rate that rose by 2 %. Here
``shift`` is what somebody decides: how far, in standard deviations, a normal column may move before it matters. Every
statistic's limit is what it shows of that shift.
"""

import math
from dataclasses import dataclass

from scipy.special import ndtr, ndtri

from tidemill.config.errors import TerminalError


class EffectLimitError(TerminalError):
    """A limit that is none."""


@dataclass(frozen=True)
class EffectLimits:
    """The default is an eighth of a standard deviation; Cohen (1988) calls a fifth small."""

    shift: float = 0.125

    def __post_init__(self) -> None:
        if not (math.isfinite(self.shift) and self.shift > 0):
            raise EffectLimitError(f"an effect of {self.shift} standard deviations is no limit; give a positive number")

    @property
    def wasserstein(self) -> float:
        """Between N(0, 1) and N(shift, 1)."""
        return self.shift

    @property
    def kolmogorov_smirnov(self) -> float:
        """Between N(0, 1) and N(shift, 1)."""
        return float(2 * ndtr(self.shift / 2) - 1)

    @property
    def psi(self) -> float:
        """The symmetric Kullback-Leibler divergence between N(0, 1) and N(shift, 1); bins lose a little of it."""
        return self.shift**2

    @property
    def cohens_h(self) -> float:
        """Cohen's h of two proportions is on the scale of his d (1988, section 6.2)."""
        return self.shift

    @property
    def auc(self) -> float:
        """Of the best classifier between N(0, 1) and N(shift, 1)."""
        return float(ndtr(self.shift / math.sqrt(2)))


def shift_of_kolmogorov_smirnov(distance: float) -> float:
    return float(2 * ndtri(min((1 + distance) / 2, 1 - 1e-9)))


def shift_of_psi(psi: float) -> float:
    return math.sqrt(max(psi, 0.0))


def shift_of_auc(auc: float) -> float:
    return float(math.sqrt(2) * ndtri(min(max(auc, 1e-9), 1 - 1e-9)))


def cohens_h(share: float, reference: float) -> float:
    """How far apart two proportions are, without a sign."""
    return abs(2 * math.asin(math.sqrt(share)) - 2 * math.asin(math.sqrt(reference)))
