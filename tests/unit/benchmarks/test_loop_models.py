from datetime import timedelta

import numpy as np
import pytest
from loop_models import gated, ideal, trained, true_auc, true_loss
from loop_world import CALM, DAY, NONE, Asked, World, asked, people
from sklearn.metrics import roc_auc_score

from tests.unit.benchmarks.drawn import random

TODAY = 320


@pytest.fixture(scope="module")
def history() -> Asked:
    return asked(random(), NONE, TODAY, TODAY, 60)


def test_a_training_learns_from_no_label_that_was_not_known_when_its_test_began(history: Asked) -> None:
    model = trained(history, TODAY)
    assert timedelta(days=85) <= model.gap <= timedelta(days=90)
    # 28 days to fit, that end a test of 7 days and twice the wait for labels ago, and 7 days of test.
    assert 0.9 * 28 * 60 < len(model.fitted) < 1.1 * 28 * 60
    assert 0.9 * 7 * 60 < len(model.test) < 1.1 * 7 * 60
    end = TODAY - 7 - 2 * model.gap.days
    of_fit = history.between((end - 28) * DAY, end * DAY)
    assert np.isin(model.fitted.x[:, 0], history.x[of_fit, 0]).all()


def test_what_is_asked_today_cannot_be_in_a_training_of_today(history: Asked) -> None:
    later = np.where(history.at > (TODAY - 100) * DAY)[0]
    changed = history.x.copy()
    changed[later] += 100
    other = Asked(history.at, history.known_at, changed, history.p, history.y, history.customer)
    assert (trained(history, TODAY).fitted.x[:, 0] == trained(other, TODAY).fitted.x[:, 0]).all()


def test_the_true_auc_is_the_mean_over_many_draws_of_labels() -> None:
    drawn = random()
    _, p = people(drawn, CALM, 4_000)
    scores = p + drawn.normal(scale=0.2, size=len(p))
    drawn_aucs = [roc_auc_score(drawn.random(len(p)) < p, scores) for _ in range(50)]
    assert true_auc(scores, p) == pytest.approx(np.mean(drawn_aucs), abs=0.005)


def test_the_true_loss_is_least_for_the_truth() -> None:
    p = np.array([0.1, 0.5])
    assert true_loss(p, p) == pytest.approx([0.09, 0.25])
    assert true_loss(p + 0.1, p) == pytest.approx([0.1, 0.26])


def test_the_gates_let_a_model_pass_that_is_as_good_and_none_of_another_world(history: Asked) -> None:
    champion = trained(history, TODAY)
    assert gated(trained(history, TODAY - 2), champion).passed
    x, p = people(random(3), World(concept=1.0), 3_000)
    stranger = ideal(x, (random(4).random(len(p)) < p).astype(float), TODAY)
    of_today = trained(history, TODAY)
    judged = gated(type(of_today)(TODAY, stranger.pipeline, of_today.fitted, of_today.test, of_today.gap), champion)
    assert not judged.passed
    assert any("champion" in reason for reason in judged.reasons)
