import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from tidemill.stack.supervision import processes
from tidemill.stack.supervision.processes import MARKER, Record, end, group, is_alive, marked, tree

BOOTED = psutil.boot_time()
SLEEP = "import time; time.sleep(600)"
IGNORE_TERM = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); {SLEEP}"
CHILD = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SLEEP!r}]); print(flush=True); {SLEEP}"


@contextmanager
def python(code: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        env=os.environ | environment,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_record_finds_its_process_until_it_ends(tmp_path: Path) -> None:
    with python(SLEEP) as process:
        Record.of(process.pid).write(tmp_path / "x.pid.json")
        record = Record.read(tmp_path / "x.pid.json")
        assert record is not None
        found = record.process()
        assert found is not None
        assert found.pid == process.pid
    assert record.process() is None


def test_a_record_finds_its_process_after_a_step_of_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    with python(SLEEP) as process:
        record = Record.of(process.pid)
        set_clock(monkeypatch, 7200)
        assert psutil.Process(process.pid).create_time() == pytest.approx(record.create_time + 7200, abs=1)
        found = record.process()
        assert found is not None
        assert found.pid == process.pid
        assert group(record) == [found]


@pytest.mark.parametrize(("step_s", "moved_s"), [(7200, 0), (-7200, -7200)], ids=["forward", "back"])
def test_what_a_process_wrote_since_its_start_is_no_older_than_it(
    monkeypatch: pytest.MonkeyPatch, step_s: int, moved_s: int
) -> None:
    with python(SLEEP) as process:
        record = Record.of(process.pid)
        set_clock(monkeypatch, step_s)
        assert record.since() == pytest.approx(record.create_time + moved_s, abs=1)


@pytest.mark.parametrize("step_s", [7200, -7200], ids=["forward", "back"])
def test_a_process_is_as_old_as_it_is_after_a_step_of_the_clock(monkeypatch: pytest.MonkeyPatch, step_s: int) -> None:
    with python(SLEEP) as process:
        record = Record.of(process.pid)
        now = time.time() + 100
        set_clock(monkeypatch, step_s)
        monkeypatch.setattr(processes.time, "time", lambda: now + step_s)
        assert record.age_s() == pytest.approx(100, abs=60)


@pytest.mark.parametrize("step_s", [0, 7200])
def test_a_record_does_not_find_another_process_with_its_pid(monkeypatch: pytest.MonkeyPatch, step_s: int) -> None:
    with python("") as before:
        ended = Record.of(before.pid)
    time.sleep(2 / os.sysconf("SC_CLK_TCK"))  # starts are told to the tick
    with python(SLEEP) as process:
        set_clock(monkeypatch, step_s)
        assert replace(ended, pid=process.pid).process() is None


def test_a_record_of_before_a_reboot_finds_no_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with python(SLEEP) as process:
        record = Record.of(process.pid)
        booted = tmp_path / "sys" / "kernel" / "random"
        booted.mkdir(parents=True)
        (booted / "boot_id").write_text("7a1f4d7e-0f5e-4d0c-8a55-4c7fd2b6a001\n")
        (tmp_path / str(process.pid)).symlink_to(f"/proc/{process.pid}")
        monkeypatch.setattr(processes, "PROC", tmp_path)
        assert record.process() is None


def test_a_record_of_an_earlier_version_finds_its_process_by_its_time(tmp_path: Path) -> None:
    path = tmp_path / "x.pid.json"
    with python(SLEEP) as process:
        earlier = {"pid": process.pid, "create_time": psutil.Process(process.pid).create_time(), "starts": 3}
        path.write_text(json.dumps(earlier))
        record = Record.read(path)
        assert record is not None
        assert record.starts == 3
        assert record.process() is not None
        assert replace(record, create_time=record.create_time - 60).process() is None


def set_clock(monkeypatch: pytest.MonkeyPatch, step_s: float) -> None:
    """What Linux tells after the clock was set: it counts back from now to when it was booted."""
    monkeypatch.setattr(psutil._pslinux, "boot_time", lambda: BOOTED + step_s)


def test_a_zombie_is_not_alive() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    try:
        entry = psutil.Process(process.pid)
        deadline = time.monotonic() + 60
        while entry.status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not is_alive(entry)
    finally:
        process.wait()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}', "null"])
def test_a_broken_record_is_no_record(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.pid.json"
    path.write_text(text)
    assert Record.read(path) is None


def test_a_process_that_ignores_the_polite_signal_is_killed() -> None:
    with python(IGNORE_TERM) as process:
        assert process.stdout is not None
        process.stdout.readline()
        end([psutil.Process(process.pid)], grace_s=0.3)
        assert process.wait(10) == -9


def test_the_caller_and_its_parents_are_never_ended() -> None:
    parent = os.getppid()
    end([psutil.Process(), psutil.Process(parent)], grace_s=0.1)
    assert psutil.pid_exists(parent)


def test_a_tree_holds_the_children() -> None:
    with python(CHILD) as process:
        assert process.stdout is not None
        process.stdout.readline()
        family = tree(psutil.Process(process.pid))
        assert len(family) == 2
        end(family, grace_s=5)


def test_the_group_of_a_killed_leader_is_found() -> None:
    with python(CHILD) as process:
        assert process.stdout is not None
        process.stdout.readline()
        record = Record.of(process.pid)
        process.kill()
        process.wait()
        survivors = group(record)
        assert len(survivors) == 1
        end(survivors, grace_s=5)
        assert group(record) == []


def test_marked_processes_are_found_by_what_they_inherited(tmp_path: Path) -> None:
    with python(SLEEP, **{MARKER: str(tmp_path / "kafka.json")}) as process:
        deadline = time.monotonic() + 30  # until exec has replaced the environment of the fork
        while not marked(str(tmp_path)) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert [found.pid for found in marked(str(tmp_path))] == [process.pid]
        assert marked(str(tmp_path / "other")) == []
