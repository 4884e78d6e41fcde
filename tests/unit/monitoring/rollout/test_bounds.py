import math

import numpy as np
import pytest
from scipy.stats import beta

from monitoring.rollout.bounds import log_evidence, lower_bound


def naive(hits: int, trials: int, p: float) -> float:
    """The e-value by adding up over rates above ``p``: each as likely beforehand as the beta distribution says."""
    edges = p + (1 - p) * np.linspace(0, 1, 200_001) ** 2  # finer where the distribution of rates is steep
    rates = (edges[1:] + edges[:-1]) / 2
    weights = np.diff(beta.cdf(edges, 0.5, 0.5))
    gains = hits * np.log(rates / p) + (trials - hits) * np.log((1 - rates) / (1 - p))
    return float((weights * np.exp(gains)).sum() / weights.sum())


@pytest.mark.parametrize(
    ("hits", "trials", "p"), [(0, 10, 0.05), (1, 3, 0.05), (4, 20, 0.05), (30, 200, 0.1), (5, 5, 0.5)]
)
def test_the_evidence_is_the_mixture_over_larger_rates(hits: int, trials: int, p: float) -> None:
    assert log_evidence(hits, trials, p) == pytest.approx(math.log(naive(hits, trials, p)), abs=1e-3)


@pytest.mark.parametrize(
    ("hits", "trials", "is_over"),
    [(1, 3, False), (0, 1_000, False), (2, 10, False), (5, 100, False), (10, 20, True), (60, 200, True)],
    ids=["one of three", "none", "two of ten", "just the limit", "half of twenty", "a third of many"],
)
def test_a_few_failures_rule_out_nothing_and_many_do(hits: int, trials: int, is_over: bool) -> None:
    assert (lower_bound(hits, trials, 0.01) > 0.05) is is_over


def test_the_bound_lies_below_the_rate_and_comes_nearer() -> None:
    bounds = [lower_bound(n // 5, n, 0.01) for n in (10, 100, 1_000, 10_000, 100_000)]
    assert bounds == sorted(bounds)
    assert 0.19 < bounds[-1] < 0.2
    assert lower_bound(0, 0, 0.01) == 0


def test_looked_at_after_every_answer_a_true_rate_is_ruled_out_as_rarely_as_stated() -> None:
    """1,000 services that fail at exactly the limit, each looked at after each of 2,000 answers."""
    random, rate, alpha = np.random.default_rng(11), 0.05, 0.05
    failures = (random.random((1_000, 2_000)) < rate).cumsum(axis=1)
    limits = _least_failures(2_000, rate, alpha)
    is_ever_over = (failures >= limits).any(axis=1)
    assert is_ever_over.mean() <= alpha
    # One look's bound, taken again and again, is not enough: this is what it would say.
    once = beta.ppf(alpha, failures, np.arange(2_000, 0, -1)[::-1] - failures + 1)
    assert (np.nan_to_num(once) > rate).any(axis=1).mean() > 3 * alpha


def _least_failures(answers: int, rate: float, alpha: float) -> np.ndarray:
    """With how many failures the evidence suffices, after each number of answers."""
    limits, hits = [], 0
    for trials in range(1, answers + 1):
        while hits <= trials and log_evidence(hits, trials, rate) < -math.log(alpha):
            hits += 1
        limits.append(hits)
        hits = max(hits - 1, 0)
    return np.array(limits)
