"""The profile of a column of numbers."""

import math
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from monitoring.profiles.distinct import Distinct, hash_numbers
from monitoring.profiles.moments import Floats, Moments
from monitoring.profiles.quantiles import Quantiles

NORMAL_IQR = 1.349
"""The interquartile range of a normal column, in standard deviations."""


@dataclass
class NumericProfile:
    """``moments``, ``quantiles``, ``distinct``, and the rows ``below`` and ``above`` the bounds are of finite values.

    ``low`` and ``high`` are the bounds that were declared, not the minimum and maximum.
    """

    low: float | None = None
    high: float | None = None
    rows: int = 0
    nulls: int = 0
    nans: int = 0
    infinities: int = 0
    below: int = 0
    above: int = 0
    moments: Moments = field(default_factory=Moments)
    quantiles: Quantiles = field(default_factory=Quantiles)
    distinct: Distinct = field(default_factory=Distinct)

    def update(self, column: pa.Array) -> None:
        """Take in more rows; anything that Arrow casts to float64."""
        self.rows += len(column)
        self.nulls += column.null_count
        values = _as_floats(column)
        finite = values if np.isfinite(values).all() else values[np.isfinite(values)]
        nans = int(np.isnan(values).sum()) if len(finite) < len(values) else 0
        self.nans += nans
        self.infinities += len(values) - len(finite) - nans
        self.below += int((finite < self.low).sum()) if self.low is not None else 0
        self.above += int((finite > self.high).sum()) if self.high is not None else 0
        self.moments = self.moments.merge(Moments.of(finite))
        self.quantiles.update(finite)
        self.distinct = self.distinct.add(hash_numbers(finite))

    def merge(self, other: "NumericProfile") -> "NumericProfile":
        """Of the rows of both, whose declared bounds are the same."""
        return NumericProfile(
            self.low,
            self.high,
            self.rows + other.rows,
            self.nulls + other.nulls,
            self.nans + other.nans,
            self.infinities + other.infinities,
            self.below + other.below,
            self.above + other.above,
            self.moments.merge(other.moments),
            self.quantiles.merge(other.quantiles),
            self.distinct.merge(other.distinct),
        )

    @property
    def missing(self) -> int:
        """Rows without a finite value: a training frame has null or NaN for one that is not there, and no infinity."""
        return self.rows - self.count

    @property
    def count(self) -> int:
        """Finite values."""
        return self.moments.count

    @property
    def scale(self) -> float:
        """The spread in standard deviations of a normal column; outliers do not widen it. 0 for a constant.

        The lesser of standard deviation and interquartile range / 1.349 (Silverman 1986, section 3.4.2).
        """
        if not self.count:
            return 0.0
        first, third = self.quantiles.quantile((0.25, 0.75))
        spreads = [self.moments.standard_deviation, (third - first) / NORMAL_IQR]
        return min((float(spread) for spread in spreads if math.isfinite(spread) and spread > 0), default=0.0)


def _as_floats(column: pa.Array) -> Floats:
    """The values that are there, NaN among them."""
    present = column.drop_null() if column.null_count else column
    if not pa.types.is_float64(present.type):
        present = pc.cast(present, pa.float64(), safe=False)
    return np.asarray(present.to_numpy(zero_copy_only=False), dtype=np.float64)
