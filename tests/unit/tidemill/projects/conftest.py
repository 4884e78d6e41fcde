"""Projects made for a test, and the command run in them as their author runs it."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cases.commands import Commands
from tidemill.config.settings import REPO
from tidemill.projects.new import new

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def commands() -> Iterator[Commands]:
    with Commands() as started:
        yield started


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """What `tidemill new` makes."""
    new(tmp_path / "mine")
    return tmp_path / "mine"


@pytest.fixture
def run(project: Path, commands: Commands) -> Run:
    """Run ``tidemill`` with these arguments in the project's folder."""

    def command(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": os.environ["PATH"], "HOME": str(project.parent), "PYTHONPATH": str(REPO)} | variables
        return commands.run(arguments, project, environment)

    return command


def edit(file: Path, old: str, new: str) -> None:
    """Replace ``old``, which is there, in a file."""
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")
