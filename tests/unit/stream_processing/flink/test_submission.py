"""Handing a job in. Flink's own Python needs a JVM: here it is this one, with modules that are called as PyFlink's."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stream_processing.flink.submission import submit
from tests.cases.waiting import eventually
from tidemill.config import Settings, load_settings
from tidemill.config.environment import settings_environment

COMMON = """\
class Configuration:
    def set_string(self, key, value):
        self.job_id = value if key == "$internal.pipeline.job-id" else getattr(self, "job_id", None)
"""
TABLE = """\
import os, time
from pathlib import Path
from unittest.mock import MagicMock

HERE = Path(__file__).parents[2]
EnvironmentSettings = MagicMock()
EnvironmentSettings.new_instance().in_streaming_mode().with_configuration = lambda told: MagicMock(build=lambda: told)


class TableEnvironment:
    @classmethod
    def create(cls, told):
        (HERE / "pid.new").write_text(str(os.getpid()))
        (HERE / "pid.new").rename(HERE / "pid")
        while (HERE / "compiles").exists():
            time.sleep(0.05)
        made = MagicMock()
        made.create_statement_set().execute().get_job_client().get_job_id = lambda: told.job_id
        return made
"""
PROGRAM = {"job": "sessions", "state": "disk", "remembers_s": 1.0, "passes": []}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Of a stack whose Flink compiles a job for as long as there is a file ``compiles``."""
    modules, python = tmp_path / "modules" / "pyflink", tmp_path / "flink" / "bin" / "python"
    for file, text in (("__init__", ""), ("common", COMMON), ("table", TABLE)):
        modules.mkdir(parents=True, exist_ok=True)
        (modules / f"{file}.py").write_text(text)
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{modules.parent}" exec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    home = {"TIDEMILL_HOME": str(tmp_path / "home"), "TIDEMILL_FLINK__ENVIRONMENT": str(tmp_path / "flink")}
    return load_settings(home)


def test_a_job_is_handed_in_under_its_id(settings: Settings) -> None:
    submit(settings, PROGRAM, "a1", None)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent died")
def test_a_submission_dies_with_who_was_killed_in_it(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "compiles").touch()
    asks = (
        "from stream_processing.flink.submission import submit; from tidemill.config import load_settings; "
        f"submit(load_settings(), {PROGRAM!r}, 'a1', None)"
    )
    submitter = subprocess.Popen([sys.executable, "-c", asks], env=os.environ | settings_environment(settings))
    try:
        eventually((tmp_path / "pid").exists, "the job is compiled")
        child = int((tmp_path / "pid").read_text())
        submitter.send_signal(signal.SIGKILL)
        submitter.wait()
        eventually(lambda: not is_alive(child), "the submission died too")
    finally:
        (tmp_path / "compiles").unlink()
        submitter.kill()
        submitter.wait()


def is_alive(process: int) -> bool:
    """Whether it runs: one that is dead may still wait for somebody to read its status."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
