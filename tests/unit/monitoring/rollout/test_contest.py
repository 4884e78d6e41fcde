import math
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from monitoring.rollout.contest import BETS, Contest, contest

Floats = NDArray[np.float64]


def of(differences: Floats, size: int = 1_000) -> Contest:
    return contest((differences[at : at + size] for at in range(0, len(differences), size)), 0, 0)


def naive(differences: Floats) -> tuple[float, float]:
    """The largest capitals ever, of those who stake on worse and on better, one difference after another."""
    most = [1.0, 1.0]
    for way, sign in enumerate((1, -1)):
        capitals = [1.0] * len(BETS)
        for difference in differences.tolist():
            capitals = [now * (1 + bet * sign * difference) for now, bet in zip(capitals, BETS.tolist(), strict=True)]
            most[way] = max(most[way], sum(capitals) / len(capitals))
    return most[0], most[1]


def runs(excess: float, seed: int, pairs: int = 1_500, number: int = 400) -> Iterator[Floats]:
    """Brier losses of yes or no: the challenger's are larger by ``excess`` in the mean."""
    random = np.random.default_rng(seed)
    for _ in range(number):
        champion = (random.random(pairs) < 0.3).astype(float)
        challenger = (random.random(pairs) < 0.3 + excess).astype(float)
        yield challenger - champion


def test_batches_make_no_difference_and_the_capitals_are_those_of_who_stakes_one_by_one() -> None:
    differences = next(runs(0.05, 1, pairs=300))
    found, whole = of(differences, 7), of(differences)
    assert (found.worse, found.better) == pytest.approx((whole.worse, whole.better))
    assert (math.exp(found.worse), math.exp(found.better)) == pytest.approx(naive(differences))
    assert (found.pairs, found.difference) == (300, pytest.approx(float(differences.mean())))


@pytest.mark.parametrize("alpha", [0.05, 0.2])
def test_looked_at_after_every_outcome_it_keeps_its_alpha_when_both_are_alike(alpha: float) -> None:
    """``worse`` and ``better`` are the largest there ever were: what a look after each of 1,500 pairs would see."""
    found = [of(differences) for differences in runs(0.0, 5)]
    for called in ([one.is_worse(alpha) for one in found], [one.is_better(alpha) for one in found]):
        assert np.mean(called) <= alpha
    # A t-test that is repeated every hundred pairs calls one in four of them; both are on the same draws.
    naive_calls = [_repeated_z_test(differences, alpha) for differences in runs(0.0, 5)]
    assert np.mean(naive_calls) > 2 * alpha


def _repeated_z_test(differences: Floats, alpha: float) -> bool:
    from scipy.stats import norm

    ends = np.arange(100, len(differences) + 1, 100)
    sums, squares = differences.cumsum()[ends - 1], (differences**2).cumsum()[ends - 1]
    deviation = np.sqrt(squares / ends - (sums / ends) ** 2)
    return bool((sums / ends / deviation * np.sqrt(ends) > norm.ppf(1 - alpha)).any())


def test_a_worse_model_is_hardly_ever_promoted_and_mostly_found() -> None:
    found = [of(differences) for differences in runs(0.1, 7, number=100)]
    assert sum(one.is_better(0.05) for one in found) <= 5
    assert sum(one.is_worse(0.05) for one in found) >= 95


def test_a_better_model_is_found() -> None:
    assert sum(of(-differences).is_better(0.05) for differences in runs(0.1, 9, number=50)) >= 45


def test_nothing_is_said_of_nothing() -> None:
    assert of(np.empty(0)) == Contest()
    assert not Contest().is_worse(0.05)


def test_a_loss_that_is_none_between_0_and_1_is_refused() -> None:
    for wrong in (1.5, math.nan):
        with pytest.raises(ValueError, match="lie between -1 and 1"):
            of(np.array([0.1, wrong]))
