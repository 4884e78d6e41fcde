"""Workers that are killed with SIGKILL at each point of a request's way, on the real MLflow server and store."""

import time

import pytest

from ml_modeling.registry import CHAMPION
from ml_modeling.registry.versions import behind_alias, list_versions
from ml_modeling.tracking.runs import existing_run
from monitoring.control import State
from monitoring.looks.reference import read_reference
from tests.cases.retrain_worker import POINTS
from tests.integration.monitoring.retraining.conftest import Loop, Start

pytestmark = pytest.mark.loop

IN_CI = ("alias moved",)
BEFORE_A_MODEL = ("run begun", "run half written")
"""Where a run is left that no other can go on with."""
AT_ITS_ROLLOUT = (State.CANARY, State.PROMOTED)
"""What no worker of requests takes up: the rollout's conductor does."""
CASES = [pytest.param(point, id=point, marks=() if point in IN_CI else pytest.mark.matrix) for point in POINTS]
WAY = [State.REQUESTED, State.CLAIMED, State.TRAINED, State.GATED, State.CANARY, State.PROMOTED]
TAKEN_OVER = [State.REQUESTED, State.CLAIMED, *WAY]


@pytest.mark.parametrize("point", CASES)
def test_a_request_whose_worker_is_killed_is_finished_once_by_the_next(loop: Loop, worker: Start, point: str) -> None:
    asked = loop.ask()
    killed = worker("kill", point).begin()
    assert killed.ended() == ([] if point == "claimed" else ["claimed"])
    assert killed.process.returncode == -9
    reached = loop.store.requests.get(asked.id).state
    assert work_until_nothing_is_left(worker) == ([] if reached in AT_ITS_ROLLOUT else ["promoted"])
    loop.conduct()
    request = loop.store.requests.get(asked.id)
    assert loop.states(asked) == (TAKEN_OVER if reached is State.CLAIMED else WAY)
    (version,) = list_versions(loop.settings, loop.name)
    assert behind_alias(loop.settings, loop.name, CHAMPION) == version
    assert version.run_id == request.progress["trained"]["run_id"]
    (record,) = loop.promotions()
    assert (record.action, record.to_version, record.request_id) == ("promote", "1", str(asked.id))
    assert request.progress["promoted"]["audit"] == record.id
    run = existing_run(loop.settings, loop.name, version.run_id)
    assert read_reference(run, loop.name).rows > 0  # what a monitor will compare with
    assert loop.runs() == (["FINISHED", "KILLED"] if point in BEFORE_A_MODEL else ["FINISHED"])


def work_until_nothing_is_left(worker: Start) -> list[str]:
    """Lets workers claim until the dead one's lease has run out and nothing is open; the ends that they came to."""
    ends: list[str] = []
    idle_since = time.monotonic()
    while time.monotonic() - idle_since < 6:
        said = worker().begin().ended()
        if said != ["nothing"]:
            assert said[0] == "claimed"
            ends += said[1:]
            idle_since = time.monotonic()
    return ends
