"""The environment of a command: looked at from a process of its own, which it changes for good."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tidemill.config.environment import GIVEN
from tidemill.config.settings import REPO

LOOK = """
import json, os, tempfile
from tidemill.environment import enter
enter()
print(json.dumps({"variables": dict(os.environ), "temporary": tempfile.gettempdir(), "pid": os.getpid()}))
"""


def look(home: Path, **variables: str) -> dict[str, Any]:
    environment = {"PATH": os.environ["PATH"], "HOME": "/home/me", "TIDEMILL_HOME": str(home), "PYTHONPATH": str(REPO)}
    command = [sys.executable, "-c", LOOK]
    done = subprocess.run(command, env=environment | variables, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / ".tidemill-home").touch()
    return tmp_path


def test_a_command_gets_what_the_stacks_processes_get_and_what_concerns_the_terminal(home: Path) -> None:
    variables = look(home, MLFLOW_TRACKING_URI="http://other", _JAVA_OPTIONS="-Xmx16m", TERM="dumb")["variables"]
    assert variables.keys() == {
        *GIVEN,
        "PATH",
        "HOME",
        "TIDEMILL_HOME",
        "TIDEMILL_PROJECT",
        "NO_PROXY",
        "no_proxy",
        "TERM",
        "TMPDIR",
    }


def test_a_command_has_temporary_files_below_the_home_folder_until_it_ends(home: Path) -> None:
    found = look(home)
    assert found["temporary"] == str(home / "tmp" / str(found["pid"]))
    assert list((home / "tmp").iterdir()) == []


def test_a_command_of_a_service_keeps_its_folder(home: Path) -> None:
    folder = home / "tmp" / "airflow-scheduler"
    folder.mkdir(parents=True)
    assert look(home, TMPDIR=str(folder))["temporary"] == str(folder)
    assert folder.is_dir()


def test_without_a_home_folder_none_is_made(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert look(tmp_path / "home", TMPDIR=str(elsewhere))["temporary"] == str(elsewhere)
    assert not (tmp_path / "home").exists()


def test_a_home_folder_that_cannot_be_written_is_read_all_the_same(home: Path) -> None:
    (home / "tmp").write_text("not a folder")
    assert not look(home)["temporary"].startswith(str(home / "tmp"))


def test_a_bad_setting_is_the_commands_to_tell(tmp_path: Path) -> None:
    assert look(tmp_path, TIDEMILL_REDIS__PORT="no")["variables"]["TIDEMILL_REDIS__PORT"] == "no"
