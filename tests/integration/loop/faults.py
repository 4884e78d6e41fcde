"""What is done to the loop in the midst of a rollout."""

import time
from collections.abc import Callable

from tests.cases.control_stores import locked
from tests.integration.loop.live import Live

AWAY_S = 60.0
Fault = Callable[[Live], list[tuple[float, float]]]
"""The times, from and until, at which the model server may not have been there to be asked."""


def none(_live: Live) -> list[tuple[float, float]]:
    return []


def server_killed(live: Live) -> list[tuple[float, float]]:
    return [live.restart()]


def registry_killed(live: Live) -> list[tuple[float, float]]:
    """A step that comes while it is away cannot be done, and does nothing."""
    epoch = live.now().epoch
    live.backends.kill("mlflow")
    assert "MlflowUnavailableError" in live.refused()
    assert live.now().epoch == epoch
    live.backends.start("mlflow")
    return []


def store_away(live: Live) -> list[tuple[float, float]]:
    """Nobody can read or write it for a minute; a step that comes meanwhile cannot be done."""
    began = time.monotonic()
    with locked(live.backends.settings.home / "control.db"):
        assert "ControlStoreAwayError" in live.refused()
        time.sleep(max(0.0, AWAY_S - (time.monotonic() - began)))
    return []


FAULTS: dict[str, Fault] = {
    "the model server is killed": server_killed,
    "the registry is killed": registry_killed,
    "the control store is away": store_away,
}
