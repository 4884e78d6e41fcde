"""Where the calibration has seen inputs. Beyond it an estimate is a guess, and is not given.

A row is outside when a feature is below the ``TAIL`` quantile of the calibration's rows or above the last, or is
missing and never was. About the share ``s`` of rows outside nothing is known, so that an accuracy may be off by ``s``:
no estimate is given when that is more than ``most_outside`` beyond what the calibration itself has outside. Features
that are each within their range may still lie together where nothing was: that is for the domain classifier to say.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ml_modeling.frames.examples import Floats
from monitoring.drift.domain_classifier import Separation
from monitoring.drift.proportions import Share, two_proportions_p_value
from monitoring.estimates.result import CannotKnow

TAIL = 0.001
SURE = 0.001
MOST_OUTSIDE = 0.05
MOST_AUC = 0.875
"""Beyond it the rows of both sides share less than half of their probability: Mann-Whitney's 1 - (1 - TV)**2 / 2."""


@dataclass(frozen=True)
class KnownRegion:
    """``low`` and ``high`` (features,) bound each feature; of the calibration's ``rows`` some are ``outside``."""

    low: Floats
    high: Floats
    may_miss: NDArray[np.bool_]
    rows: int
    outside: int
    most_outside: float = MOST_OUTSIDE

    @classmethod
    def of(cls, x: Floats, most_outside: float = MOST_OUTSIDE) -> "KnownRegion":
        """Of the calibration's rows, shape (n, features), nan where missing."""
        never = np.isnan(x).all(axis=0)
        low, high = np.nanquantile(np.where(never, 0.0, x), (TAIL, 1 - TAIL), axis=0)
        low, high = np.where(never, np.inf, low), np.where(never, -np.inf, high)
        may_miss = np.asarray(np.isnan(x).any(axis=0), dtype=np.bool_)
        region = cls(low, high, may_miss, len(x), 0, most_outside)
        return replace(region, outside=int(region.is_outside(x).sum()))

    def is_outside(self, x: Floats) -> NDArray[np.bool_]:
        """Of each row (n,)."""
        missing = np.isnan(x)
        outside = (x < self.low) | (x > self.high) | (missing & ~self.may_miss)
        return np.asarray(outside.any(axis=1), dtype=np.bool_)

    def left_by(self, x: Floats, separation: Separation | None = None) -> CannotKnow | None:
        """Why nothing can be said of rows ``x``; None when they stay in the region.

        ``separation`` is the domain classifier's between the calibration's rows and these.
        """
        outside = int(self.is_outside(x).sum())
        share, usual = outside / len(x), self.outside / self.rows
        is_more = two_proportions_p_value(Share(self.outside, self.rows), Share(outside, len(x))) < SURE
        if share - usual > self.most_outside and is_more:
            return CannotKnow(f"{share:.1%} of rows lie outside of what the calibration saw, of its own {usual:.1%}")
        if separation is not None and separation.low > MOST_AUC:
            return CannotKnow(f"rows are told from the calibration's with a ROC AUC of {separation.auc:.2f}")
        return None
