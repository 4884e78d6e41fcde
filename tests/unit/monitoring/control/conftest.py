"""The control store on SQLite; `tests/integration/monitoring/control` runs the same tests on PostgreSQL."""

import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from monitoring.control import ControlStore
from tests.cases.control_stores import SetClock


@pytest.fixture(scope="session")
def prepared_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store without a row."""
    file = tmp_path_factory.mktemp("control") / "prepared.db"
    with ControlStore(f"sqlite:///{file}") as store:
        store.prepare()
    return file


@pytest.fixture
def new_url(tmp_path: Path, prepared_file: Path) -> Callable[[], str]:
    """Makes a database whose tables are there."""
    numbers = count()

    def new() -> str:
        file = tmp_path / f"control-{next(numbers)}.db"
        shutil.copyfile(prepared_file, file)
        return f"sqlite:///{file}"

    return new


@pytest.fixture
def empty_url(tmp_path: Path) -> str:
    """Of a database without a table."""
    return f"sqlite:///{tmp_path / 'empty' / 'control.db'}"


@pytest.fixture
def url(new_url: Callable[[], str]) -> str:
    return new_url()


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def store(url: str, clock: SetClock) -> Iterator[ControlStore]:
    with ControlStore(url, clock) as store:
        yield store
