"""Many features are looked at at once: of a hundred p-values five are below 0.05 when nothing has changed.

Source: Benjamini and Hochberg, "Controlling the false discovery rate", 1995. When nothing has changed at all, the
probability that anything is found is at most ``alpha``; when something has, the expected share of false ones among what
is found is. Proved for features that are independent or positively dependent (Benjamini and Yekutieli 2001).
"""

import numpy as np

from monitoring.profiles.moments import Floats


def adjusted_p_values(p_values: Floats) -> Floats:
    """For each p-value (n,) the least ``alpha`` at which it is a discovery."""
    count = len(p_values)
    order = np.argsort(p_values)[::-1]
    scaled = p_values[order] * count / np.arange(count, 0, -1)
    adjusted = np.empty(count)
    adjusted[order] = np.minimum(np.minimum.accumulate(scaled), 1.0)
    return adjusted
