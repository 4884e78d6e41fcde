"""When a service counts as stopped, and what is stopped when supervisord was killed."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest

from tidemill.config import Settings
from tidemill.stack.catalog import catalog
from tidemill.stack.down import StopFailedError, down, wait_stopped
from tidemill.stack.folders import Folders
from tidemill.stack.supervision.daemon import end_leftovers, ensure_supervisor, has_processes
from tidemill.stack.supervision.launch import record_path
from tidemill.stack.supervision.processes import Record, is_alive
from tidemill.stack.supervision.supervisor import Supervisor

LEADER = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(2)"], stdout=subprocess.DEVNULL)
print(child.pid)
"""


def test_a_service_is_stopped_when_the_last_of_its_processes_is_gone(settings: Settings) -> None:
    folders = Folders.of(settings)
    folders.create()
    leader = subprocess.Popen([sys.executable, "-c", LEADER], stdout=subprocess.PIPE, start_new_session=True)
    record = Record.of(leader.pid)
    record.write(record_path(folders.launch_file("redis")))
    out, _ = leader.communicate()
    child = psutil.Process(int(out))
    assert os.getpgid(child.pid) == leader.pid
    wait_stopped(folders, [catalog(settings)["redis"]])
    assert not is_alive(child)


@pytest.fixture
def supervised(settings: Settings) -> Iterator[psutil.Process]:
    """The supervisord of Kafka and Redis, which only sleep; ended with them, whatever became of it."""
    folders = Folders.of(settings)
    folders.create()
    supervisor = ensure_supervisor(list(catalog(settings).values()), settings)
    for name in ("kafka", "redis"):
        folders.launch_file(name).write_text(json.dumps({"command": ["sleep", "600"], "environment": {}}))
        supervisor.start(name)
        while not has_processes(folders, name):
            time.sleep(0.05)
    record = Record.read(folders.supervisor_record)
    assert record
    process = record.process()
    assert process
    yield process
    if Supervisor(folders).is_alive():
        Supervisor(folders).shutdown()
    end_leftovers(folders)
    folders.remove_socket()


def test_a_service_is_stopped_also_when_supervisord_was_killed(settings: Settings, supervised: psutil.Process) -> None:
    supervised.kill()
    supervised.wait()
    assert down(settings, ["redis"]) == ["redis"]
    assert not has_processes(Folders.of(settings), "redis")
    assert has_processes(Folders.of(settings), "kafka")
    assert down(settings) == ["kafka"]
    assert down(settings) == []


def test_what_a_silent_supervisord_would_start_again_is_not_stopped(
    settings: Settings, supervised: psutil.Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Supervisor, "is_alive", lambda _: False)
    with pytest.raises(StopFailedError, match=f"process {supervised.pid}\\) does not answer"):
        down(settings, ["redis"])
    assert has_processes(Folders.of(settings), "redis")
