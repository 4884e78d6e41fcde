"""Projects made for a test, and the command run in them as their author runs it."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tidemill.config.settings import REPO
from tidemill.projects.new import new

Run = Callable[..., subprocess.CompletedProcess[str]]
MAIN = "from tidemill.cli import main; main()"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """What `tidemill new` makes."""
    new(tmp_path / "mine")
    return tmp_path / "mine"


@pytest.fixture
def run(project: Path) -> Run:
    """Run ``tidemill`` with these arguments in the project's folder."""

    def command(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": os.environ["PATH"], "HOME": str(project.parent), "PYTHONPATH": str(REPO)} | variables
        line = [sys.executable, "-c", MAIN, *arguments]
        return subprocess.run(line, cwd=project, env=environment, capture_output=True, text=True, check=False)

    return command


def edit(file: Path, old: str, new: str) -> None:
    """Replace ``old``, which is there, in a file."""
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")
