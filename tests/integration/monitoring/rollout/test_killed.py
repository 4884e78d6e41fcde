"""A conductor that dies at any point of its way, or has company: the next step finds what was done."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from ml_modeling.registry import audit, champion_version, promotion
from ml_modeling.registry.aliases import CHALLENGER, alias_version
from monitoring.control import State
from monitoring.control.requests import RetrainRequests
from monitoring.control.rollouts import Rollouts
from monitoring.rollout import conducting, ending
from monitoring.rollout.by_hand import rollback_by_hand
from monitoring.rollout.conducting import Taken, step
from monitoring.rollout.deciding import Action
from tests.cases.rollouts import Case, Model


class Killed(BaseException):
    """The process ends here: nothing that is written handles it."""


def dies_before(owner: Any, name: str) -> Callable[[pytest.MonkeyPatch], None]:
    def die(*_: Any, **__: Any) -> None:
        raise Killed

    return lambda patch: patch.setattr(owner, name, die)


def dies_after(owner: Any, name: str) -> Callable[[pytest.MonkeyPatch], None]:
    own = getattr(owner, name)

    def die(*arguments: Any, **named: Any) -> None:
        own(*arguments, **named)
        raise Killed

    return lambda patch: patch.setattr(owner, name, die)


BEFORE_PROMOTION = dies_before(conducting, "promote")
INTENDED = dies_after(promotion.audit, "intend")
ALIAS_MOVED = dies_before(promotion, "_complete")
PROMOTED = dies_after(conducting, "promote")
ENDED = dies_after(Rollouts, "change")
CLAIMED = dies_after(RetrainRequests, "claim")
FINISHED = dies_after(RetrainRequests, "advance")

POINTS = [
    pytest.param(BEFORE_PROMOTION, id="decided", marks=pytest.mark.matrix),
    pytest.param(INTENDED, id="intended", marks=pytest.mark.matrix),
    pytest.param(ALIAS_MOVED, id="alias moved", marks=pytest.mark.matrix),
    pytest.param(PROMOTED, id="promoted in the registry"),
    pytest.param(ENDED, id="traffic written", marks=pytest.mark.matrix),
    pytest.param(CLAIMED, id="request claimed"),
    pytest.param(FINISHED, id="request finished", marks=pytest.mark.matrix),
]
TAKING_BACK = [
    pytest.param(dies_before(Rollouts, "change"), id="decided", marks=pytest.mark.matrix),
    pytest.param(ENDED, id="traffic written"),
    pytest.param(dies_after(ending, "dismiss"), id="alias taken", marks=pytest.mark.matrix),
    pytest.param(CLAIMED, id="request claimed", marks=pytest.mark.matrix),
    pytest.param(FINISHED, id="request finished", marks=pytest.mark.matrix),
]


def at_last_step(case: Case, **changed: Any) -> tuple[Model, Any, Any]:
    """A blue-green rollout that has all it needs to end."""
    champion = case.champion()
    case.say(champion, 200)
    challenger = case.model()
    asked, work = case.handed_over(challenger), case.work(policy="blue_green")
    begun = step(work).rollout
    assert begun is not None
    case.step_passes(champion, challenger, begun, **changed)
    return challenger, asked, work


def dies(monkeypatch: pytest.MonkeyPatch, point: Callable[[pytest.MonkeyPatch], None], work: Any) -> None:
    with monkeypatch.context() as patch, pytest.raises(Killed):
        point(patch)
        step(work)


def goes_on(case: Case, work: Any) -> None:
    """Another conductor, after the dead one's lease."""
    case.clock.jump(2 * work.place.lease)
    while step(work).action is not None:
        continue


def ends(case: Case, request: Any) -> list[State]:
    trail = case.store.requests.trail(request.id)
    return [entry.to_state for entry in trail if entry.to_state.is_finished]


def promotions(case: Case) -> list[tuple[str, str | None]]:
    records = audit.trail(case.settings, case.name)
    return [(record.action, record.to_version) for record in records if record.state == "completed"]


def ended(case: Case) -> list[str]:
    changes = case.store.rollouts.history(case.name)
    return [change.evidence["ended"] for change in changes if "ended" in change.evidence]


@pytest.mark.parametrize("point", POINTS)
def test_a_promotion_is_done_once_wherever_its_conductor_died(
    case: Case, monkeypatch: pytest.MonkeyPatch, point: Callable[[pytest.MonkeyPatch], None]
) -> None:
    _, asked, work = at_last_step(case)
    dies(monkeypatch, point, work)
    goes_on(case, work)
    assert promotions(case) == [("promote", "1"), ("promote", "2")]
    assert (ends(case, asked), ended(case)) == ([State.PROMOTED], ["promoted"])
    now = case.store.rollouts.current(case.name)
    assert now is not None
    assert now.traffic.champion is not None
    assert (now.traffic.champion.version, now.traffic.challenger, now.traffic.share) == ("2", None, 0)


@pytest.mark.parametrize("point", TAKING_BACK)
def test_a_challenger_is_taken_back_once_wherever_its_conductor_died(
    case: Case, monkeypatch: pytest.MonkeyPatch, point: Callable[[pytest.MonkeyPatch], None]
) -> None:
    _, asked, work = at_last_step(case, failed=60)
    dies(monkeypatch, point, work)
    goes_on(case, work)
    assert promotions(case) == [("promote", "1")]
    assert (ends(case, asked), ended(case)) == ([State.REJECTED], ["rolled_back"])
    assert alias_version(case.settings, case.name, CHALLENGER) is None
    assert champion_version(case.settings, case.name) == "1"


@pytest.mark.matrix
def test_a_guard_that_trips_after_the_registry_promoted_takes_that_back_too(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    challenger, asked, work = at_last_step(case)
    dies(monkeypatch, PROMOTED, work)
    now = case.store.rollouts.current(case.name)
    assert now is not None
    case.say(challenger, 200, arm="challenger", epoch=now.epoch, failed=150)
    assert step(work).action is Action.ROLL_BACK
    assert promotions(case) == [("promote", "1"), ("promote", "2"), ("rollback", "1")]
    assert ends(case, asked) == [State.REJECTED]


@pytest.mark.matrix
def test_a_rollback_by_hand_in_the_midst_of_a_promotion_goes_back_one_and_no_further(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, asked, work = at_last_step(case)
    dies(monkeypatch, PROMOTED, work)
    changed = rollback_by_hand(case.place, "complaints")
    assert changed.record is not None
    assert promotions(case)[-1] == ("rollback", "1")
    assert (champion_version(case.settings, case.name), ends(case, asked)) == ("1", [State.REJECTED])


@pytest.mark.matrix
def test_a_stop_while_the_alias_is_about_to_move_leaves_it_where_it_is(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, asked, work = at_last_step(case)
    intend = promotion.audit.intend

    def stopped_meanwhile(*arguments: Any) -> Any:
        ending.stop(case.place, "a campaign begins")
        return intend(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(promotion.audit, "intend", stopped_meanwhile)
        assert step(work).action is None
    assert promotions(case) == [("promote", "1")]
    assert (ends(case, asked), ended(case)) == ([State.REJECTED], ["stopped"])


@pytest.mark.parametrize(
    "failed", [pytest.param(0, id="promotion"), pytest.param(60, id="taking back", marks=pytest.mark.matrix)]
)
def test_of_many_conductors_at_once_one_does_it(case: Case, failed: int) -> None:
    _, asked, work = at_last_step(case, failed=failed)
    start = threading.Barrier(4)

    def conduct() -> Taken:
        start.wait()
        return step(work)

    with ThreadPoolExecutor(4) as pool:
        taken = [made.result() for made in [pool.submit(conduct) for _ in range(4)]]
    assert sum(done.action in {Action.PROMOTE, Action.ROLL_BACK} for done in taken) == 1
    goes_on(case, work)
    done = [("promote", "1")] if failed else [("promote", "1"), ("promote", "2")]
    assert promotions(case) == done
    assert (len(ends(case, asked)), len(ended(case))) == (1, 1)
