"""Is the data itself in order: values that are missing, out of range, late, or of another number?"""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
from scipy.special import gammaln, ndtri
from scipy.stats import t

from monitoring.drift.limits import EffectLimits, cohens_h
from monitoring.drift.proportions import Share, two_proportions_p_value
from monitoring.drift.verdict import Aspect, Finding, Statistic
from monitoring.profiles.numeric import NumericProfile
from monitoring.profiles.table import ColumnProfile, TableProfile

LEAST_WINDOWS = 8
"""Windows of the past that a rate of rows is learnt from."""


def missing(name: str, reference: ColumnProfile, current: ColumnProfile, limits: EffectLimits, alpha: float) -> Finding:
    """Whether another share of rows has no value: null, NaN or infinite."""
    before, now = Share(reference.missing, reference.rows), Share(current.missing, current.rows)
    statistic = _difference("missing_share", before, now, limits, alpha)
    return Finding(name, Aspect.MISSING, (statistic,), two_proportions_p_value(before, now))


def out_of_range(
    name: str, reference: NumericProfile, current: NumericProfile, limits: EffectLimits, alpha: float
) -> Finding | None:
    """Whether more rows leave the range than before; None when ``current`` was profiled without one.

    A range that the reference declared is left by some rows of both sides: two proportions. Otherwise it is from the
    reference's minimum to its maximum, and rows beyond them come by chance as well, see ``beyond_p_value``.
    """
    if current.low is None and current.high is None:
        return None
    now = Share(current.below + current.above, current.rows - current.missing)
    if reference.low is not None or reference.high is not None:
        before = Share(reference.below + reference.above, reference.rows - reference.missing)
        statistic = _difference("out_of_range_share", before, now, limits, alpha)
        return Finding(name, Aspect.RANGE, (statistic,), two_proportions_p_value(before, now))
    ends = [beyond_p_value(beyond, now.rows, reference.count) for beyond in (current.below, current.above)]
    effect = cohens_h(now.hits / now.rows, 0.0)
    by_chance = min(1.0, math.log(alpha / 2) / math.log(now.rows / (now.rows + reference.count)) / now.rows)
    limit = max(limits.cohens_h, cohens_h(by_chance, 0.0))
    statistic = Statistic("out_of_range_share", effect, limit, effect)
    return Finding(name, Aspect.RANGE, (statistic,), min(1.0, 2 * min(ends)))


def volume(current: TableProfile, volumes: Sequence[int], ratio: float) -> Finding:
    """Whether the window has as many rows as windows of its length had.

    ``volumes`` are the rows of earlier windows that the reference stands for. The logarithm of the next is taken as
    normal with their mean and variance: it lies within Student's prediction interval (Hahn and Meeker 1991). It matters
    from ``ratio`` times as many, or as few, on. A window without rows is always one.
    """
    if not current.rows:
        return Finding(None, Aspect.VOLUME, (Statistic("no_rows", 1.0, 1.0, math.inf),))
    if len(volumes) < LEAST_WINDOWS:
        return Finding(
            None, Aspect.VOLUME, unknown=f"{len(volumes)} earlier windows; {LEAST_WINDOWS} tell what is usual"
        )
    logs = np.log1p(np.asarray(volumes, dtype=np.float64))
    apart = abs(math.log1p(current.rows) - float(logs.mean()))
    spread = float(logs.std(ddof=1)) * math.sqrt(1 + 1 / len(logs))
    # Counts vary at least as those of independent events do.
    spread = max(spread, math.exp(-float(logs.mean()) / 2))
    return Finding(
        None,
        Aspect.VOLUME,
        (Statistic("volume_ratio", math.exp(apart), ratio, apart / spread),),
        float(2 * t.sf(apart / spread, len(logs) - 1)),
    )


def freshness(current: TableProfile, until: datetime, most: timedelta) -> Finding:
    """Whether the latest row is older than ``most`` at ``until``: a rule, not a test."""
    if current.latest is None:
        return Finding(None, Aspect.FRESHNESS, unknown="no row tells its time")
    age_s = (until - current.latest).total_seconds()
    limit_s = most.total_seconds()
    return Finding(None, Aspect.FRESHNESS, (Statistic("age_s", age_s, limit_s, age_s / limit_s),))


def beyond_p_value(beyond: int, rows: int, reference_rows: int) -> float:
    """The probability that at least ``beyond`` of ``rows`` exceed all ``reference_rows`` of the same distribution.

    All orders are as likely: the largest ``beyond`` of all rows are then all of the current side, whatever the
    distribution (Wilks 1941 on tolerance limits).
    """
    if not beyond:
        return 1.0
    both = rows + reference_rows
    return float(
        np.exp(gammaln(rows + 1) - gammaln(rows - beyond + 1) - gammaln(both + 1) + gammaln(both - beyond + 1))
    )


def _difference(name: str, before: Share, now: Share, limits: EffectLimits, alpha: float) -> Statistic:
    """Cohen's h of two shares; by chance it is normal with the variance 1/n + 1/m."""
    if not before.rows or not now.rows:
        return Statistic(name, 0.0, limits.cohens_h, 0.0)
    effect = cohens_h(now.hits / now.rows, before.hits / before.rows)
    by_chance = -float(ndtri(alpha / 2)) * math.sqrt(1 / now.rows + 1 / before.rows)
    return Statistic(name, effect, max(limits.cohens_h, by_chance), effect)
