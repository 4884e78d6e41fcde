from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from monitoring.control import ControlStore
from tests.cases.control_stores import SetClock
from tests.cases.rollouts import Case
from tidemill.config import Settings


@pytest.fixture
def case(settings: Settings, mlflow_server: str, tmp_path: Path) -> Iterator[Case]:
    """A use case without a model, an empty lake, and a control store."""
    lake = settings.lake.model_copy(update={"root": str(tmp_path / "lake")})
    own = settings.model_copy(update={"lake": lake, "home": tmp_path})
    clock = SetClock()
    clock.now = datetime.now(UTC)
    url = f"sqlite:///{tmp_path / 'control.db'}"
    with ControlStore(url, clock) as store:
        store.prepare()
        yield Case(own, url, store, clock)
