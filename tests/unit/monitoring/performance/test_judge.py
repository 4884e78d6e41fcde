"""Whether a model became worse: how often that is said when it did not, how soon when it did, and what is said."""

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from monitoring.performance import LossReferenceError, Reference, Rule, Standing, Verdict, judge
from monitoring.performance.betting import evidence
from monitoring.performance.losses import Floats, squared_errors

START = datetime(2026, 1, 1, tzinfo=UTC)
TRAINED = Reference(0.18, 0.16, 0.20)
Draw = Callable[[np.random.Generator, int, float], Floats]


def coins(random: np.random.Generator, n: int, mean: float) -> Floats:
    return (random.random(n) < mean).astype(np.float64)


def smooth(random: np.random.Generator, n: int, mean: float) -> Floats:
    return random.beta(2, 2 * (1 - mean) / mean, n)


def rare(random: np.random.Generator, n: int, mean: float) -> Floats:
    """A loss of 1 with a small probability, else nearly none."""
    return np.where(random.random(n) < mean / 2, 1.0, mean / 2 / (1 - mean / 2))


def judged(losses: Floats, rule: Rule | None = None) -> Verdict:
    return judge(losses, [START + timedelta(minutes=number) for number in range(len(losses))], TRAINED, rule)


@pytest.mark.parametrize("draw", [coins, smooth, rare])
def test_at_the_bound_itself_at_most_alpha_of_models_are_ever_called_worse(draw: Draw) -> None:
    random, runs = np.random.default_rng(1), 400
    alarms = sum(evidence(draw(random, 3_000, 0.2), 0.2).log_e.max() >= math.log(20) for _ in range(runs))
    assert alarms <= 0.05 * runs + 2 * math.sqrt(0.05 * 0.95 * runs)


def test_losses_that_depend_on_those_before_raise_no_more_alarms_while_their_mean_given_these_holds() -> None:
    random, alarms = np.random.default_rng(2), 0
    for _ in range(300):
        sizes = random.choice([0.4, 1.0], 2_000)
        sizes[1:] = np.where(sizes[:-1] > 0.5, 0.4, 1.0)  # the variance follows the past, the mean does not
        losses = np.where(random.random(2_000) < 0.2 / sizes, sizes, 0.0)
        alarms += evidence(losses, 0.2).log_e.max() >= math.log(20)
    assert alarms <= 0.05 * 300 + 2 * math.sqrt(0.05 * 0.95 * 300)


@pytest.mark.parametrize(("good", "worse", "then"), [(0, 0.3, 1_000), (5_000, 0.3, 1_500), (500, 0.4, 400)])
def test_a_model_that_became_worse_is_found_also_after_it_was_good_for_long(good: int, worse: float, then: int) -> None:
    random, found = np.random.default_rng(3), 0
    for _ in range(60):
        losses = np.concatenate([coins(random, good, 0.18), coins(random, then, worse)])
        verdict = judged(losses)
        found += verdict.standing is Standing.WORSE and verdict.found_at >= START + timedelta(minutes=good)
    assert found >= 0.9 * 60


def test_a_verdict_says_since_when_and_by_how_much() -> None:
    random = np.random.default_rng(4)
    losses = np.concatenate([coins(random, 3_000, 0.17), coins(random, 3_000, 0.35)])
    verdict = judged(losses)
    assert verdict.standing is Standing.WORSE
    assert verdict.since is not None
    assert abs(verdict.since - (START + timedelta(minutes=3_000))) < timedelta(minutes=250)
    assert verdict.excess == pytest.approx(0.15, abs=0.03)
    assert verdict.mean == pytest.approx(0.35, abs=0.03)
    assert verdict.evidence >= 20


def test_looking_after_each_loss_says_nothing_that_one_look_at_the_end_does_not() -> None:
    losses = coins(np.random.default_rng(5), 600, 0.35)
    looks = [judged(losses[:number]) for number in range(1, 601)]
    first = next(number for number, verdict in enumerate(looks) if verdict.standing is Standing.WORSE)
    assert all(verdict.standing is Standing.WORSE for verdict in looks[first:])
    assert {verdict.found_at for verdict in looks[first:]} == {START + timedelta(minutes=first)}
    assert judged(losses) == looks[-1]


def test_too_few_losses_make_no_model_fine() -> None:
    good = np.full(8_000, 0.1)
    enough = judged(good).enough
    assert judged(good[: enough - 1]).standing is Standing.UNKNOWN
    assert judged(good[:enough]).standing is Standing.FINE
    assert judged(good[:0]).standing is Standing.UNKNOWN


def test_what_takes_fewer_losses_to_find_takes_fewer_to_be_called_fine() -> None:
    def enough(smallest: float) -> int:
        return judged(np.zeros(1), Rule(smallest=smallest)).enough

    assert enough(0.3) < enough(0.1) < enough(0.02)
    worse = 0.5  # by hand: log(16 / (1 - log 2 / log 3) / 0.05) over the divergence of coins of 0.5 and 0.2
    growth = worse * math.log(0.5 / 0.2) + worse * math.log(0.5 / 0.8)
    assert enough(0.3) == math.ceil(math.log(16 / (1 - math.log(2) / math.log(3)) / 0.05) / growth)


def test_the_e_value_is_the_mixture_of_bets_multiplied_one_by_one() -> None:
    losses, m = np.random.default_rng(6).random(12), 0.4
    shares = [0.002 * (0.9 / 0.002) ** (k / 15) for k in range(16)]
    found = np.exp(evidence(losses, m).log_e)
    for n in range(1, 13):
        total = math.log(2) / math.log(n + 2)  # what has not begun
        for begin in range(n):
            weight = math.log(2) / math.log(begin + 2) - math.log(2) / math.log(begin + 3)
            for share in shares:
                total += weight / 16 * math.prod(1 + share / m * (loss - m) for loss in losses[begin:n])
        assert found[n - 1] == pytest.approx(total)


def test_a_squared_error_is_between_none_and_one() -> None:
    y = np.array([0.0, 1.0])
    assert squared_errors(y, np.array([0.25, 0.25])).tolist() == [0.0625, 0.5625]


@pytest.mark.parametrize("losses", [[0.5, 1.2], [-0.1], [math.nan]])
def test_a_loss_that_is_none_is_refused(losses: list[float]) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        judged(np.array(losses))


@pytest.mark.parametrize("bounds", [(0.2, 0.25, 0.3), (0.2, 0.1, 1.0), (0.0, 0.0, 0.0)])
def test_a_reference_that_is_no_mean_in_its_interval_is_refused(bounds: tuple[float, float, float]) -> None:
    with pytest.raises(LossReferenceError, match="mean loss"):
        Reference(*bounds)
