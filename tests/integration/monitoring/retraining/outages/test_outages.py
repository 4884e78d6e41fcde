"""A service is killed or away while a worker is at a state of a request: one promotion and one end all the same."""

import time

import pytest

from ml_modeling.registry import CHAMPION
from ml_modeling.registry.versions import behind_alias, list_versions
from monitoring.control import RetrainRequest, State
from tests.cases.control_stores import locked
from tests.integration.model_serving.conftest import Backends
from tests.integration.monitoring.retraining.conftest import Loop, Start, Worker
from tests.integration.monitoring.retraining.test_killed import work_until_nothing_is_left

pytestmark = [pytest.mark.loop, pytest.mark.matrix]
AWAY_S = 60.0
REGISTRY = (
    "claimed",
    "run begun",
    "run half written",
    "trained",
    "half evaluated",
    "evaluated",
    "gated",
    "registered",
    "at its rollout",
    "rollout begun",
    "intended",
    "alias moved",
)
"""Where a worker still needs the registry."""
AT_ITS_ROLLOUT = ("registered", "at its rollout", "rollout begun", "intended", "alias moved")
"""From where on the worker hands the request over, and the next step of the rollout goes on with it."""
STORE = ("run begun", "evaluated", "registered", "intended", "rollout ended")


def at(worker: Start, point: str) -> Worker:
    """A worker that stands still at ``point``."""
    paused = worker("pause", point).begin()
    while (line := paused.line()) != f"at {point}":
        assert line == "claimed"
    return paused


def is_over(loop: Loop, asked: RetrainRequest) -> None:
    """The request is finished once, with the one model that was promoted, and the trail says so."""
    states = loop.states(asked)
    assert states[-1] is State.PROMOTED
    assert sum(state.is_finished for state in states) == 1
    request = loop.store.requests.get(asked.id)
    (version,) = list_versions(loop.settings, loop.name)
    assert behind_alias(loop.settings, loop.name, CHAMPION) == version
    assert version.run_id == request.progress["trained"]["run_id"]
    (record,) = loop.promotions()
    assert (record.action, record.to_version, record.request_id) == ("promote", "1", str(asked.id))
    assert loop.runs().count("FINISHED") == 1
    assert "RUNNING" not in loop.runs()


@pytest.mark.parametrize("point", REGISTRY)
def test_a_registry_that_is_killed_delays_a_request_and_loses_nothing(
    loop: Loop, worker: Start, servers: Backends, point: str
) -> None:
    asked = loop.ask()
    paused = at(worker, point)
    servers.kill("mlflow")
    try:
        said = paused.begin().ended()
    finally:
        servers.start("mlflow")
    assert said[-1] == ("canary" if point in AT_ITS_ROLLOUT else "MlflowUnavailableError")
    work_until_nothing_is_left(worker)
    loop.conduct()
    is_over(loop, asked)


@pytest.mark.parametrize("point", STORE)
def test_a_store_that_is_away_for_a_minute_delays_a_request_and_loses_nothing(
    loop: Loop, worker: Start, servers: Backends, point: str
) -> None:
    asked = loop.ask()
    paused = at(worker, point)
    with locked(loop.settings.home / "control.db"):
        began = time.monotonic()
        paused.begin()
        time.sleep(max(0.0, AWAY_S - (time.monotonic() - began)))
    paused.ended()
    work_until_nothing_is_left(worker)
    loop.conduct()
    is_over(loop, asked)
