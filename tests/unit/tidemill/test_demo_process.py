import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from tidemill.config import Settings
from tidemill.config.interruption import Interrupted
from tidemill.demo.process import CommandError, end_commands, run_json

COMMAND = '#!/bin/sh\necho "$$" >&2\nexec sleep 60\n'


@pytest.fixture
def endless(settings: Settings, tmp_path: Path) -> Settings:
    """Settings by which ``tidemill`` says its process id on stderr and sleeps."""
    program = tmp_path / "environment" / "bin" / "tidemill"
    program.parent.mkdir(parents=True)
    program.write_text(COMMAND, encoding="utf-8")
    program.chmod(0o755)
    return settings.model_copy(update={"platform_environment": program.parents[1]})


def test_a_command_ends_with_the_demo_that_started_it(endless: Settings, tmp_path: Path) -> None:
    said: list[str] = []

    def interrupt(text: str) -> None:
        said.append(text)
        os.kill(os.getpid(), signal.SIGUSR1)

    def handle(*_: object) -> None:
        raise Interrupted(signal.SIGTERM)

    before = signal.signal(signal.SIGUSR1, handle)
    try:
        with pytest.raises(Interrupted):
            run_json(endless, ["produce"], tmp_path / "log", interrupt)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert not psutil.pid_exists(int(said[0]))


def test_a_command_of_another_thread_can_be_asked_to_end(endless: Settings, tmp_path: Path) -> None:
    said: list[str] = []
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run_json, endless, ["produce"], tmp_path / "log", said.append)
        while not said:
            time.sleep(0.01)
        end_commands()
        with pytest.raises(CommandError, match="exited with -15"):
            running.result(timeout=10)
