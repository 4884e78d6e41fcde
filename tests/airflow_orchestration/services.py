"""Airflow's services as processes of these tests, which may be killed and started again."""

import subprocess
import time
from contextlib import suppress
from pathlib import Path

import httpx
import psutil

from airflow_orchestration.processes import service_commands
from tidemill.config.settings import Settings

READY_TIMEOUT_S = 180.0


class Services:
    """The API server, the scheduler, the DAG processor and the triggerer, each with a log in ``folder``."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._settings = settings
        self._folder = folder
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._orphans: list[psutil.Process] = []

    def start(self, *names: str) -> None:
        """Starts those named, all if none is, and waits until all are healthy."""
        commands = service_commands(self._settings)
        for name in names or commands:
            with self._log(name).open("ab") as log:
                self._processes[name] = subprocess.Popen(
                    commands[name], cwd=self._folder, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
                )
        self._wait_healthy()

    def kill(self, name: str, *, with_children: bool) -> None:
        """Ends a service with SIGKILL: it alone, or with all the processes that it has started."""
        process = self._processes.pop(name)
        started = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        process.wait()
        if with_children:
            _end_all(started)
        else:
            self._orphans += started

    def stop(self) -> None:
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            _end(process)
        _end_all(self._orphans)

    def _wait_healthy(self) -> None:
        deadline = time.monotonic() + READY_TIMEOUT_S
        health: object = None
        while time.monotonic() < deadline:
            for name, process in self._processes.items():
                assert process.poll() is None, f"{name} ended: {self._log(name).read_text()[-3000:]}"
            try:
                health = httpx.get(f"{self._settings.airflow.url}/api/v2/monitor/health", trust_env=False).json()
            except httpx.TransportError:
                time.sleep(1.0)
                continue
            if isinstance(health, dict) and all(part["status"] == "healthy" for part in health.values()):
                return
            time.sleep(1.0)
        raise AssertionError(f"Airflow was not healthy after {READY_TIMEOUT_S:.0f} s: {health}")

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}.log"


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _end_all(processes: list[psutil.Process]) -> None:
    """psutil knows a process by its id and the time it was made, so no other one is ended."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
