import json
import subprocess
import sys
import time
from pathlib import Path

import psutil

from tidemill.stack.supervision.launch import record_path
from tidemill.stack.supervision.processes import Record, tree

WORKER = "import time; time.sleep(600)"
LEADER = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {WORKER!r}]); {WORKER}"


def _launch(file: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "tidemill.stack.supervision.launch", str(file)], start_new_session=True
    )


def _wait_family(file: Path, starts: int) -> list[psutil.Process]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        record = Record.read(record_path(file))
        process = record.process() if record and record.starts == starts else None
        family = tree(process) if process else []
        if len(family) == 2:
            return family
        time.sleep(0.05)
    raise AssertionError("the launched process and its worker did not appear")


def test_a_new_start_ends_the_workers_of_a_killed_one(tmp_path: Path) -> None:
    file = tmp_path / "service.json"
    file.write_text(json.dumps({"command": [sys.executable, "-c", LEADER], "environment": {}, "files": {}}))
    first = _launch(file)
    leader, worker = _wait_family(file, starts=1)
    assert leader.pid == first.pid
    leader.kill()
    first.wait()
    assert worker.is_running()
    second = _launch(file)
    family = _wait_family(file, starts=2)
    assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE
    for process in family:
        process.kill()
    second.wait()


def test_the_service_gets_its_variables_and_its_marker(tmp_path: Path) -> None:
    file = tmp_path / "service.json"
    code = "import os; print(os.environ['COLOUR'], os.environ['SUPERVISED_FROM'])"
    file.write_text(json.dumps({"command": [sys.executable, "-c", code], "environment": {"COLOUR": "blue"}}))
    command = [sys.executable, "-m", "tidemill.stack.supervision.launch", str(file)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert output == f"blue {file}\n"


def test_a_new_start_removes_the_temporary_files_of_the_one_before(tmp_path: Path) -> None:
    file, temporary = tmp_path / "service.json", tmp_path / "tmp" / "service"
    (temporary / "spark-1").mkdir(parents=True)
    code = "import os, tempfile; print(tempfile.gettempdir(), os.listdir(tempfile.gettempdir()))"
    file.write_text(json.dumps({"command": [sys.executable, "-c", code], "environment": {"TMPDIR": str(temporary)}}))
    command = [sys.executable, "-m", "tidemill.stack.supervision.launch", str(file)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert output == f"{temporary} []\n"
