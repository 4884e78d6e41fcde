from collections.abc import Iterator
from pathlib import Path

import pytest

from monitoring.control import ControlStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ControlStore]:
    with ControlStore(f"sqlite:///{tmp_path}/control.db") as opened:
        yield opened
