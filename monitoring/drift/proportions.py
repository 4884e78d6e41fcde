"""Are two shares the same?"""

from dataclasses import dataclass

from scipy.stats import hypergeom


@dataclass(frozen=True)
class Share:
    """``hits`` of ``rows``."""

    hits: int
    rows: int


def two_proportions_p_value(before: Share, now: Share) -> float:
    """Fisher's exact test that two shares are one, twice its smaller tail."""
    if not before.rows or not now.rows:
        return 1.0
    by_chance = (now.rows + before.rows, now.hits + before.hits, now.rows)
    tails = hypergeom.cdf(now.hits, *by_chance), hypergeom.sf(now.hits - 1, *by_chance)
    return float(min(1.0, 2 * min(tails)))
