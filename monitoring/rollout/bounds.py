"""What a count says of a rate, however often somebody looks at it.

Whoever stakes on a rate above ``p`` multiplies what they have, with each trial, by how much likelier it is under a
larger rate; spread over all larger rates as a beta distribution spreads them, that is the ratio below. When the rate is
at most ``p`` they cannot expect to gain, and by Ville's inequality ever have 1 / alpha with probability at most alpha.
Source: H. Robbins, "Statistical methods related to the law of the iterated logarithm", Annals of Mathematical
Statistics 41 (1970), section on mixtures; S. R. Howard, A. Ramdas, J. McAuliffe and J. Sekhon, "Time-uniform,
nonparametric, nonasymptotic confidence sequences", Annals of Statistics 49 (2021).
"""

import math

from scipy.special import betaincc, betaln

PRIOR = 0.5
"""Of both sides of the beta distribution, in trials."""
HALVINGS = 50


def log_evidence(hits: int, trials: int, p: float) -> float:
    """The logarithm of the e-value against "the rate is at most ``p``" (0 < p < 1) after ``hits`` of ``trials``."""
    a, b = PRIOR + hits, PRIOR + trials - hits
    above = float(betaincc(a, b, p))
    if above <= 0:
        return -math.inf
    spread = float(betaln(a, b) - betaln(PRIOR, PRIOR)) + math.log(above / float(betaincc(PRIOR, PRIOR, p)))
    return spread - hits * math.log(p) - (trials - hits) * math.log1p(-p)


def lower_bound(hits: int, trials: int, alpha: float) -> float:
    """The largest rate that is ruled out: of all looks together a true rate lies below it with probability ``alpha``.

    0 where none is ruled out.
    """
    low, high = 0.0, hits / trials if trials else 0.0
    for _ in range(HALVINGS if high else 0):
        middle = (low + high) / 2
        if log_evidence(hits, trials, middle) >= -math.log(alpha):
            low = middle
        else:
            high = middle
    return low
