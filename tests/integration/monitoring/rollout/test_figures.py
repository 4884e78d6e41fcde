"""The figures of a step, from a log that others write into as well."""

from datetime import timedelta

import pytest

from monitoring.rollout.conducting import step
from monitoring.rollout.measuring import measure
from monitoring.rollout.running import Running, running
from monitoring.rollout.starting import begin
from tests.cases.rollouts import Case

HOUR = timedelta(hours=1)


def now(case: Case) -> Running:
    rollout = running(case.store, case.name)
    assert rollout is not None
    return rollout


def test_only_answers_of_these_models_under_this_epoch_count(case: Case) -> None:
    champion, work = case.champion(), case.work()
    case.say(champion, 30, at=case.clock.now - HOUR)
    challenger, other = case.model(), case.model(2.0)
    epoch = begin(work, challenger.version, "better").epoch
    case.say(champion, 40, arm="champion", epoch=epoch, ms=20.0)
    case.say(champion, 5, arm="champion", epoch=epoch, ms=900.0, failed=5)
    case.say(challenger, 25, arm="challenger", epoch=epoch, ms=60.0)
    case.say(challenger, 3, arm="challenger", epoch=epoch, ms=300.0)
    case.say(challenger, 7, arm="challenger", epoch=epoch - 1)
    case.say(challenger, 7, arm="challenger", epoch=epoch + 1)
    case.say(other, 7, arm="challenger", epoch=epoch)
    found = measure(work, now(case))
    assert (found.champion_answers, found.champion_p95_ms) == (40, 20.0)
    of_it = found.challenger
    assert (of_it.answers, of_it.failed, of_it.timed, of_it.slow, of_it.slow_ms) == (28, 5, 28, 3, 100.0)
    assert sum(found.scores.counted) == 28
    assert sum(found.scores.expected) == pytest.approx(30)
    assert sum(found.champion_scores.counted) == 40


def test_answers_about_one_customer_count_as_fewer_scores(case: Case) -> None:
    work = case.work()
    case.say(case.champion(), 30, at=case.clock.now - HOUR)
    challenger = case.model()
    epoch = begin(work, challenger.version, "better").epoch
    case.say(challenger, 24, arm="challenger", epoch=epoch)
    case.say(challenger, 16, arm="challenger", epoch=epoch, about="c0")
    found = measure(work, now(case)).scores
    assert sum(found.counted) == 40
    assert found.independent == pytest.approx(40 * 40 / (24 * 1 + 16 * 16))


@pytest.mark.matrix
def test_where_the_champion_answers_nobody_its_latency_is_that_of_the_whole_rollout(case: Case) -> None:
    champion, work = case.champion(), case.work(steps=[10, 100])
    challenger = case.model()
    begun = begin(work, challenger.version, "better")
    case.step_passes(champion, challenger, begun)
    taken = step(work)
    assert taken.rollout is not None
    case.say(challenger, 9, arm="challenger", epoch=taken.rollout.epoch)
    found = measure(work, now(case))
    assert (found.challenger.answers, found.champion_answers, found.champion_p95_ms) == (9, 200, 5.0)


@pytest.mark.matrix
def test_a_log_of_before_there_were_rollouts_has_no_figures(case: Case) -> None:
    work = case.work()
    case.champion()
    begin(work, case.model().version, "better")
    found = measure(work, now(case))
    assert (found.challenger.asked, found.champion_answers, found.contest) == (0, 0, None)
    assert found.challenger.slow_ms == 100.0
