"""What is bet on when verdicts are late, and late by what they say."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest

from monitoring.performance import Reference, Standing, judge, settled

START = datetime(2026, 1, 1, tzinfo=UTC)
RUNS, PAYMENTS, DAYS, SLOWEST = 60, 2_000, 120, 30.0
FRAUDS, LOSS_OF_FRAUD, LOSS_OF_OTHERS = 0.05, 0.6, 0.02
MEAN = FRAUDS * LOSS_OF_FRAUD + (1 - FRAUDS) * LOSS_OF_OTHERS
TRAINED = Reference(MEAN, MEAN * 0.9, MEAN * 1.1)


def at(day: float) -> datetime:
    return START + timedelta(days=day)


def is_found_worse(losses: np.ndarray, made: np.ndarray, numbers: np.ndarray) -> bool:
    verdict = judge(losses[numbers], [at(day) for day in made[numbers]], TRAINED)
    return verdict.standing is Standing.WORSE


def test_a_model_as_good_as_ever_is_not_called_worse_because_frauds_are_told_first() -> None:
    random, alarms, alarms_as_known = np.random.default_rng(1), 0, 0
    for _ in range(RUNS):
        made = np.sort(random.uniform(0, DAYS, PAYMENTS))
        is_fraud = random.random(PAYMENTS) < FRAUDS
        losses = np.where(is_fraud, LOSS_OF_FRAUD, LOSS_OF_OTHERS)
        known = made + np.where(is_fraud, random.uniform(0, 10, PAYMENTS), random.uniform(20, SLOWEST, PAYMENTS))
        numbers = settled([at(day) for day in made], known <= DAYS, at(DAYS - SLOWEST))
        alarms += is_found_worse(losses, made, numbers)
        alarms_as_known += is_found_worse(losses, made, np.argsort(known))
    assert alarms <= 0.05 * RUNS + 2 * np.sqrt(0.05 * 0.95 * RUNS)
    assert alarms_as_known > RUNS / 2  # what the order is for


def test_each_look_has_what_the_look_before_had_and_more() -> None:
    random = np.random.default_rng(2)
    made = random.uniform(0, DAYS, 500)
    known = made + random.uniform(0, SLOWEST, 500)
    times = [at(day) for day in made]
    looks = [settled(times, known <= day, at(day - SLOWEST)).tolist() for day in range(0, DAYS + 40, 5)]
    for look, later in pairwise(looks):
        assert later[: len(look)] == look
    assert looks[-1] == np.argsort(made).tolist()


def test_what_is_young_or_not_known_is_left_out_and_the_rest_is_in_the_order_made() -> None:
    times = [at(5), at(1), at(2), at(3), at(3)]
    is_known = np.array([True, True, False, True, True])
    assert settled(times, is_known, at(5)).tolist() == [1, 3, 4]
    assert settled(times, is_known, at(0)).tolist() == []


def test_times_without_their_outcomes_are_refused() -> None:
    with pytest.raises(ValueError, match="at 2 times"):
        settled([at(0), at(1)], np.array([True]), at(2))
