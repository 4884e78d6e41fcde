"""The store's clock jumps in the midst of a rollout: some of it happens earlier or later, and nothing twice."""

from datetime import timedelta

import pytest

from monitoring.control import State
from monitoring.rollout.conducting import step
from monitoring.rollout.deciding import Action
from tests.cases.rollouts import Case
from tests.integration.monitoring.rollout.way import way

pytestmark = pytest.mark.loop
CANARY = {"policy": "canary", "steps": [10, 100]}
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    "jump", [pytest.param(30 * DAY, id="ahead"), pytest.param(-30 * DAY, id="back", marks=pytest.mark.matrix)]
)
def test_a_clock_that_jumps_after_each_step_changes_nothing_of_its_order(case: Case, jump: timedelta) -> None:
    rollout = way(case, **CANARY)
    for _ in range(3):
        rollout.pass_step()
        case.clock.jump(jump)
    rollout.go_on()
    assert (rollout.promotions(), rollout.shares()) == ([("promote", "1"), ("promote", "2")], [10, 100, 0])
    assert (rollout.request_ends(), rollout.rollout_ends()) == ([State.PROMOTED], ["promoted"])


def test_a_rollout_that_began_by_a_clock_far_ahead_is_guarded_when_the_clock_is_right_again(case: Case) -> None:
    rollout = way(case, **CANARY)
    case.clock.jump(40 * DAY)
    begun = step(rollout.work).rollout
    assert begun is not None
    case.clock.jump(-40 * DAY)
    case.step_passes(rollout.champion, rollout.challenger, begun, failed=60)
    taken = step(rollout.work)
    assert taken.action is Action.ROLL_BACK, taken.why
    assert (rollout.request_ends(), rollout.rollout_ends()) == ([State.REJECTED], ["rolled_back"])
