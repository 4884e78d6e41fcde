"""Why losses are bet on in the order of the predictions, as `served` reads them: verdicts are late by what they say."""

from datetime import UTC, datetime, timedelta

import numpy as np

from monitoring.performance import Reference, Standing, judge

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
        alarms += is_found_worse(losses, made, np.flatnonzero(made < DAYS - SLOWEST))
        alarms_as_known += is_found_worse(losses, made, np.argsort(known))
    assert alarms <= 0.05 * RUNS + 2 * np.sqrt(0.05 * 0.95 * RUNS)
    assert alarms_as_known > RUNS / 2  # what the order is for
