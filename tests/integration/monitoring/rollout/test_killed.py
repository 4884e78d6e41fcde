"""A conductor that is killed with SIGKILL anywhere, or has company: the next step finds what was done."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from ml_modeling.registry import champion_version, promotion
from ml_modeling.registry.aliases import CHALLENGER, alias_version
from monitoring.control import State
from monitoring.rollout import ending
from monitoring.rollout.by_hand import rollback_by_hand
from monitoring.rollout.conducting import Taken, step
from monitoring.rollout.deciding import Action
from tests.cases.conductor import PROMOTION, REQUEST, TAKING_BACK, TRAFFIC
from tests.cases.rollouts import Case
from tests.integration.monitoring.rollout.conftest import KilledAt
from tests.integration.monitoring.rollout.way import way

pytestmark = pytest.mark.loop

CANARY = {"policy": "canary", "steps": [10, 100]}
ONE_STEP = {"policy": "blue_green"}
PARTS = {
    "begin": (0, TRAFFIC),
    "larger share": (1, TRAFFIC),
    "promotion": (2, PROMOTION | REQUEST),
    "taking back": (1, TRAFFIC | TAKING_BACK | REQUEST),
}
"""How many steps are done before the one in which the conductor is killed, and where in that one."""
IN_CI = {("promotion", "record closed"), ("taking back", "traffic changed")}
CASES = [
    pytest.param(part, point, id=f"{part}: {point}", marks=() if (part, point) in IN_CI else pytest.mark.matrix)
    for part, (_, points) in PARTS.items()
    for point in points
]


@pytest.mark.parametrize(("part", "point"), CASES)
def test_a_rollout_ends_once_wherever_its_conductor_is_killed(
    case: Case, killed_at: KilledAt, part: str, point: str
) -> None:
    rollout, is_bad = way(case, **CANARY), part == "taking back"
    for _ in range(PARTS[part][0]):
        rollout.pass_step(failed=60 if is_bad else 0)
    killed_at(point, **CANARY)
    rollout.go_on()
    if is_bad:
        assert (rollout.promotions(), rollout.shares()) == ([("promote", "1")], [10, 0])
        assert (rollout.request_ends(), rollout.rollout_ends()) == ([State.REJECTED], ["rolled_back"])
    else:
        assert (rollout.promotions(), rollout.shares()) == ([("promote", "1"), ("promote", "2")], [10, 100, 0])
        assert (rollout.request_ends(), rollout.rollout_ends()) == ([State.PROMOTED], ["promoted"])
    now = case.store.rollouts.current(case.name)
    assert now is not None
    assert now.traffic.champion is not None
    assert now.traffic.champion.version == champion_version(case.settings, case.name) == ("1" if is_bad else "2")
    assert (now.traffic.challenger, alias_version(case.settings, case.name, CHALLENGER)) == (None, None)


@pytest.mark.matrix
def test_a_guard_that_trips_after_the_registry_promoted_takes_that_back_too(case: Case, killed_at: KilledAt) -> None:
    rollout = way(case, **ONE_STEP)
    rollout.pass_step()
    killed_at("record closed", **ONE_STEP)
    now = case.store.rollouts.current(case.name)
    assert now is not None
    case.say(rollout.challenger, 200, arm="challenger", epoch=now.epoch, failed=150)
    assert step(rollout.work).action is Action.ROLL_BACK
    assert rollout.promotions() == [("promote", "1"), ("promote", "2"), ("rollback", "1")]
    assert rollout.request_ends() == [State.REJECTED]


@pytest.mark.matrix
def test_a_rollback_by_hand_in_the_midst_of_a_promotion_goes_back_one_and_no_further(
    case: Case, killed_at: KilledAt
) -> None:
    rollout = way(case, **ONE_STEP)
    rollout.pass_step()
    killed_at("record closed", **ONE_STEP)
    changed = rollback_by_hand(case.place, "complaints")
    assert changed.record is not None
    assert rollout.promotions()[-1] == ("rollback", "1")
    assert (champion_version(case.settings, case.name), rollout.request_ends()) == ("1", [State.REJECTED])


@pytest.mark.matrix
def test_a_stop_while_the_alias_is_about_to_move_leaves_it_where_it_is(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    rollout = way(case, **ONE_STEP)
    rollout.pass_step()
    intend = promotion.audit.intend

    def stopped_meanwhile(*arguments: Any) -> Any:
        ending.stop(case.place, "a campaign begins")
        return intend(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(promotion.audit, "intend", stopped_meanwhile)
        assert step(rollout.work).action is None
    assert rollout.promotions() == [("promote", "1")]
    assert (rollout.request_ends(), rollout.rollout_ends()) == ([State.REJECTED], ["stopped"])


@pytest.mark.parametrize(
    "failed", [pytest.param(0, id="promotion"), pytest.param(60, id="taking back", marks=pytest.mark.matrix)]
)
def test_of_many_conductors_at_once_one_does_it(case: Case, failed: int) -> None:
    rollout = way(case, **ONE_STEP)
    rollout.pass_step(failed)
    work, start = rollout.work, threading.Barrier(4)

    def conduct() -> Taken:
        start.wait()
        return step(work)

    with ThreadPoolExecutor(4) as pool:
        taken = [made.result() for made in [pool.submit(conduct) for _ in range(4)]]
    assert sum(done.action in {Action.PROMOTE, Action.ROLL_BACK} for done in taken) == 1
    rollout.go_on()
    assert rollout.promotions() == [("promote", "1")] + ([] if failed else [("promote", "2")])
    assert (len(rollout.request_ends()), len(rollout.rollout_ends())) == (1, 1)
