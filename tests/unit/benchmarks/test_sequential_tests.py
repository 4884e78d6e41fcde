import math

import numpy as np
import pytest
from loop_models import true_auc
from loop_world import CALM, people
from scipy.special import expit, logit
from sequential_tests import least_hits, noise_for, paired

from monitoring.rollout.bounds import log_evidence
from tests.unit.benchmarks.drawn import random


def test_a_run_of_one_arm_and_the_run_of_the_other_make_a_pair() -> None:
    losses = np.array([0.1, 0.3, 0.9, 0.2, 0.6, 0.4, 0.5])
    is_challenger = np.array([False, False, True, False, True, True, False])
    # (0.9) - (0.1, 0.3), then (0.6, 0.4) - (0.2); the last champion waits for its challenger.
    assert paired(losses, is_challenger) == pytest.approx([0.7, 0.3])


def test_the_least_hits_are_those_at_which_the_evidence_first_suffices() -> None:
    limit, enough = 0.05, -math.log(0.01)
    least = least_hits(300, limit, lambda hits, trials: log_evidence(hits, trials, limit) >= enough)
    for trials in (5, 50, 300):
        hits = int(least[trials - 1])
        assert hits > trials or log_evidence(hits, trials, limit) >= enough
        assert log_evidence(hits - 1, trials, limit) < enough


def test_noise_is_found_that_costs_as_much_of_the_auc_as_asked_for() -> None:
    drawn = random(8)
    _, p = people(drawn, CALM, 100_000)
    noisy = expit(logit(p) + noise_for(0.02) * drawn.normal(size=len(p)))
    assert true_auc(p, p) - true_auc(noisy, p) == pytest.approx(0.02, abs=0.002)
