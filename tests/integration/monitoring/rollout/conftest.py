from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from data_lake.delta_tables import create_table
from monitoring.control import ControlStore
from tests.cases.conductors import conduct
from tests.cases.control_stores import SetClock
from tests.cases.rollouts import LOG, Case
from tidemill.config import Settings

KilledAt = Callable[..., None]


@pytest.fixture
def case(settings: Settings, mlflow_server: str, tmp_path: Path) -> Iterator[Case]:
    """A use case without a model, a lake with an empty log, and a control store whose clock is set by hand."""
    lake = settings.lake.model_copy(update={"root": str(tmp_path / "lake")})
    own = settings.model_copy(update={"lake": lake})
    create_table(LOG, own)
    clock = SetClock()
    clock.now = datetime.now(UTC)
    url = f"sqlite:///{tmp_path / 'control.db'}"
    with ControlStore(url, clock) as store:
        yield Case(own, url, store, clock)


@pytest.fixture
def killed_at(case: Case) -> KilledAt:
    """Has another process do one step, which SIGKILL ends at a point."""

    def killed_at(point: str, **rollout: Any) -> None:
        done = conduct(case, point, **rollout)
        assert done.returncode == -9, f"it never came to {point!r}: {done.stdout}{done.stderr}"

    return killed_at
