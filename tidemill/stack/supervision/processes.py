"""Processes of the stack: recorded by pid and start, recognised, measured and ended."""

import json
import os
import signal
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from tidemill.config.files import replace_file

MARKER = "SUPERVISED_FROM"
"""Variable every process of the stack inherits; its value is the path of the launch file it was started from."""

POLL_S = 0.1
PROC = Path("/proc")


@dataclass(frozen=True)
class Record:
    """A process as it was when it was started: a pid alone may have been given to another since.

    ``create_time`` is its start in seconds since the epoch, by the clock as it was then: the system tells another when
    the clock was set since. ``start`` is the same for ever, see :func:`start_of`; a record of an earlier version has
    none. ``starts`` counts the times the service was started without being asked to, plus one.
    """

    pid: int
    create_time: float
    starts: int = 1
    start: str = ""

    @classmethod
    def of(cls, pid: int, starts: int = 1) -> "Record":
        """That of the process ``pid``, which runs."""
        return cls(pid, psutil.Process(pid).create_time(), starts, start_of(pid))

    def write(self, path: Path) -> None:
        replace_file(path, json.dumps(asdict(self)).encode())

    @classmethod
    def read(cls, path: Path) -> "Record | None":
        """The record in ``path``; None when there is none, or a broken write left no valid one."""
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (FileNotFoundError, json.JSONDecodeError, TypeError):
            return None

    def process(self) -> psutil.Process | None:
        """The very process recorded, None when it is gone."""
        try:
            process = psutil.Process(self.pid)
            is_same = self._is_that_of(process)
        except psutil.NoSuchProcess:
            return None
        return process if is_same and is_alive(process) else None

    def since(self) -> float:
        """Its start in seconds since the epoch, for comparing with what it wrote since.

        By the clock as it was then or as it is now, the earlier: one that is set back writes times before the start.
        """
        return min(self.create_time, self._create_time_by_todays_clock())

    def age_s(self) -> float:
        """For how long it has run, whatever the clock was set to since."""
        return time.time() - self._create_time_by_todays_clock()

    def _create_time_by_todays_clock(self) -> float:
        process = self.process()
        try:
            return process.create_time() if process else self.create_time
        except psutil.NoSuchProcess:
            return self.create_time

    def _is_that_of(self, process: psutil.Process) -> bool:
        if self.start:
            return self.start == start_of(process.pid)
        return bool(abs(process.create_time() - self.create_time) < 0.01)


def start_of(pid: int) -> str:
    """Which boot the process ``pid`` was started in, and how many clock ticks after it: no clock that is set moves it.

    Empty where there is no such process, or the system does not tell (macOS).
    """
    try:
        boot = (PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        stat = (PROC / str(pid) / "stat").read_bytes()
    except OSError:
        return ""
    ticks = stat.rpartition(b")")[2].split()[19]  # field 22 in proc(5); the second, in brackets, may hold spaces
    return f"{boot} {int(ticks)}"


def is_alive(process: psutil.Process) -> bool:
    """Whether it runs; a zombie does not: where nothing reaps orphans it would stay for ever."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def tree(process: psutil.Process) -> list[psutil.Process]:
    """``process`` and its descendants that are alive."""
    try:
        family = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
    return [member for member in family if is_alive(member)]


def group(record: Record) -> list[psutil.Process]:
    """The processes of the group the recorded one led, which outlive it when it was killed."""
    if record.process() is None and psutil.pid_exists(record.pid):
        return []
    return [process for process in psutil.process_iter() if _group_of(process) == record.pid and is_alive(process)]


def marked(prefix: str) -> list[psutil.Process]:
    """The processes whose inherited marker starts with ``prefix``."""
    return [process for process in psutil.process_iter() if _marker(process).startswith(prefix) and is_alive(process)]


def _group_of(process: psutil.Process) -> int | None:
    try:
        return os.getpgid(process.pid)
    except (ProcessLookupError, PermissionError):
        return None


def _marker(process: psutil.Process) -> str:
    try:
        return process.environ().get(MARKER, "")
    except (psutil.Error, OSError):
        return ""


def end(processes: Iterable[psutil.Process], grace_s: float) -> None:
    """Ends the processes: TERM, and KILL for those that are still there after ``grace_s``; never the caller's own."""
    spared = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    remaining = [process for process in set(processes) if process.pid not in spared]
    for number, patience_s in ((signal.SIGTERM, grace_s), (signal.SIGKILL, 10.0)):
        for process in remaining:
            _send(process, number)
        remaining = wait_gone(remaining, patience_s)


def wait_gone(processes: Iterable[psutil.Process], timeout_s: float) -> list[psutil.Process]:
    """Those still alive after at most ``timeout_s``."""
    deadline = time.monotonic() + timeout_s
    remaining = [process for process in processes if is_alive(process)]
    while remaining and time.monotonic() < deadline:
        time.sleep(POLL_S)
        remaining = [process for process in remaining if is_alive(process)]
    return remaining


def _send(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return


def memory_bytes(processes: Iterable[psutil.Process]) -> int:
    """Their proportional set size, which counts shared pages once; resident size where the system does not tell it."""
    return sum(_memory_of(process) for process in processes)


def _memory_of(process: psutil.Process) -> int:
    try:
        full = process.memory_full_info()
        return int(getattr(full, "pss", full.rss))
    except psutil.AccessDenied:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0
