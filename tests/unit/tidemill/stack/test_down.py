"""When a service counts as stopped."""

import os
import subprocess
import sys

import psutil

from tidemill.config import Settings
from tidemill.stack.catalog import catalog
from tidemill.stack.down import wait_stopped
from tidemill.stack.folders import Folders
from tidemill.stack.supervision.launch import record_path
from tidemill.stack.supervision.processes import Record, is_alive

LEADER = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(2)"], stdout=subprocess.DEVNULL)
print(child.pid)
"""


def test_a_service_is_stopped_when_the_last_of_its_processes_is_gone(settings: Settings) -> None:
    folders = Folders.of(settings)
    folders.create()
    leader = subprocess.Popen([sys.executable, "-c", LEADER], stdout=subprocess.PIPE, start_new_session=True)
    record = Record(leader.pid, psutil.Process(leader.pid).create_time())
    record.write(record_path(folders.launch_file("redis")))
    out, _ = leader.communicate()
    child = psutil.Process(int(out))
    assert os.getpgid(child.pid) == leader.pid
    wait_stopped(folders, [catalog(settings)["redis"]])
    assert not is_alive(child)
