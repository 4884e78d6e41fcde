"""Workers that lose their lease while they work: they stop, and nothing that they began counts."""

import os
import signal
import time
from datetime import timedelta

import pytest

from ml_modeling.registry import CHAMPION, audit
from ml_modeling.registry.versions import behind_alias, list_versions
from monitoring.control import RetrainRequest, State
from monitoring.retraining.order import TO_WORK_OFF
from monitoring.retraining.working_off import work_off
from monitoring.rollout.running import End, last_over
from tests.cases.control_stores import locked
from tests.integration.monitoring.retraining.conftest import LEASE_S, Loop, Start, Worker
from tests.integration.monitoring.retraining.test_killed import TAKEN_OVER, WAY

pytestmark = pytest.mark.loop


def taken_over(loop: Loop, frozen: Worker) -> RetrainRequest:
    """The request, claimed by this test as soon as the lease of a worker that stands still has run out.

    It is not stopped while it renews its lease: it would keep the store locked.
    """
    with locked(loop.settings.home / "control.db"):
        os.kill(frozen.process.pid, signal.SIGSTOP)
        os.waitpid(frozen.process.pid, os.WUNTRACED)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        duration = timedelta(seconds=LEASE_S)
        claimed = loop.store.requests.claim("this test", duration, loop.name, states=TO_WORK_OFF)
        if claimed is not None:
            return claimed
        time.sleep(0.2)
    raise AssertionError("its lease holds on")


def at(worker: Start, point: str) -> Worker:
    """A worker that has claimed, and pauses at ``point``."""
    paused = worker("pause", point).begin()
    assert [paused.line(), paused.line()] == ["claimed", f"at {point}"]
    return paused


def test_a_trainer_that_was_overtaken_stops_and_its_run_is_ended(loop: Loop, worker: Start) -> None:
    asked = loop.ask()
    first = at(worker, "run begun")
    claimed = taken_over(loop, first)
    assert work_off(loop.work(), claimed.lease).state is State.PROMOTED
    assert loop.runs() == ["FINISHED", "KILLED"]
    os.kill(first.process.pid, signal.SIGCONT)
    assert first.begin().ended() == ["LeaseLostError"]
    assert loop.states(asked) == TAKEN_OVER
    assert len(loop.promotions()) == len(list_versions(loop.settings, loop.name)) == 1


def test_a_trainer_whose_request_is_cancelled_stops_where_it_is(loop: Loop, worker: Start) -> None:
    asked = loop.ask()
    first = at(worker, "run begun")
    loop.store.requests.cancel(asked.id, "ada", "prices are as before")
    assert first.ended() == ["LeaseLostError"]
    assert loop.states(asked) == [State.REQUESTED, State.CLAIMED, State.REJECTED]
    assert (loop.runs(), loop.promotions()) == (["FAILED"], [])


def test_a_trainer_that_is_told_to_end_gives_its_request_back(loop: Loop, worker: Start) -> None:
    asked = loop.ask()
    first = at(worker, "run begun")
    first.process.terminate()
    assert first.ended() == []
    assert loop.states(asked) == [State.REQUESTED, State.CLAIMED, State.REQUESTED]
    assert loop.store.requests.trail(asked.id)[-1].detail == {"given_back": "ended by SIGTERM"}
    assert loop.runs() == ["KILLED"]


def test_who_was_overtaken_before_promoting_moves_nothing(loop: Loop, worker: Start) -> None:
    asked = loop.ask()
    first = at(worker, "registered")
    claimed = taken_over(loop, first)
    assert work_off(loop.work(), claimed.lease).state is State.PROMOTED
    os.kill(first.process.pid, signal.SIGCONT)
    assert first.begin().ended() == ["LeaseLostError"]
    assert loop.states(asked) == WAY
    assert [record.request_id for record in loop.promotions()] == [str(asked.id)]


def test_a_cancel_before_the_alias_moves_abandons_the_promotion(loop: Loop, worker: Start) -> None:
    asked = loop.ask()
    first = at(worker, "intended")
    loop.store.requests.cancel(asked.id, "ada", "not before the weekend")
    first.begin()
    assert first.ended() == ["rejected"]
    assert loop.states(asked) == [*WAY[:-1], State.REJECTED]
    assert behind_alias(loop.settings, loop.name, CHAMPION) is None
    (record,) = audit.trail(loop.settings, loop.name)
    assert (record.state, record.request_id) == ("abandoned", str(asked.id))
    over = last_over(loop.store, loop.name, asked.id)
    assert over is not None
    assert over.kind is End.STOPPED


@pytest.mark.matrix
def test_of_two_workers_at_once_one_works_and_the_other_finds_nothing(loop: Loop, worker: Start) -> None:
    asked = loop.ask()
    both = [worker(), worker()]
    for process in both:
        process.begin()
    assert sorted(process.ended() for process in both) == [["claimed", "promoted"], ["nothing"]]
    assert loop.states(asked) == WAY
    assert loop.runs() == ["FINISHED"]


def test_of_two_requests_worked_off_at_once_each_model_is_judged_against_todays_champion(
    loop: Loop, worker: Start
) -> None:
    requests = [loop.ask("drift"), loop.ask("performance")]
    both = [worker(), worker()]
    for process in both:
        process.begin()
    assert [process.ended() for process in both] == [["claimed", "promoted"]] * 2
    assert [loop.states(request) for request in requests] == [WAY, WAY]
    first, second = loop.promotions()
    assert (second.from_version, {first.request_id, second.request_id}) == (
        first.to_version,
        {str(request.id) for request in requests},
    )
