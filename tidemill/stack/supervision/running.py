"""One service in the foreground of this process: started, waited for, and stopped by its process id."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tidemill.config.environment import process_environment
from tidemill.config.errors import TerminalError
from tidemill.config.settings import Settings
from tidemill.stack.folders import Folders
from tidemill.stack.logs import last_lines
from tidemill.stack.service import Launch, NotReadyError, Run, Service
from tidemill.stack.supervision.temporary import make_empty

POLL_S = 0.2


class SetupFailedError(TerminalError):
    """What must happen before a service's first start did not succeed."""


class StartFailedError(TerminalError):
    """A service ended, or did not become ready in time; the message holds the end of its log."""


@contextmanager
def running(service: Service, settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    """``service`` without a supervisor, ready when the block is entered and gone when it is left."""
    folders = Folders.of(settings)
    folders.create()
    log = folders.log(service.name)
    temporary = folders.temporary(service.name)
    service.setup(runner(service, settings))
    launch = service.launch().with_temporary(temporary)
    launch.write_files()
    make_empty(temporary)
    started = time.time()
    with log.open("ab") as output:
        process = subprocess.Popen(
            launch.command,
            env=process_environment(settings, os.environ) | dict(launch.environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=settings.home,
            start_new_session=True,
        )
    try:
        _wait_ready(service, process, started, log)
        yield process
    finally:
        stop_group(process, service.stop_timeout_s)


def runner(service: Service, settings: Settings) -> Run:
    """What runs the setup commands of ``service``; their output goes to its log."""
    folders = Folders.of(settings)
    log, temporary = folders.log(service.name), folders.temporary(service.name)

    def run(launch: Launch) -> None:
        launch.write_files()
        make_empty(temporary)
        variables = launch.with_temporary(temporary).environment
        environment = process_environment(settings, os.environ) | dict(variables)
        with log.open("ab") as output:
            result = subprocess.run(
                launch.command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False
            )
        if result.returncode:
            command = " ".join(launch.command[-4:])
            raise SetupFailedError(
                f"{service.name}: its setup (... {command}) ended with status {result.returncode}; "
                f"the log {log} ends with:\n{last_lines(log)}"
            )

    return run


def stop_group(process: subprocess.Popen[bytes], timeout_s: float) -> None:
    """Ends ``process`` and its group: TERM, then KILL after ``timeout_s``."""
    for signal_number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, signal_number)
        except ProcessLookupError:
            break
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            continue
    process.wait()


def _wait_ready(service: Service, process: subprocess.Popen[bytes], started: float, log: Path) -> None:
    reason = "it was not asked yet"
    while time.time() < started + service.ready_timeout_s:
        if process.poll() is not None:
            reason = f"it ended with status {process.returncode}"
            break
        try:
            service.probe(started)
            service.complete()
        except NotReadyError as error:
            reason = str(error)
            time.sleep(POLL_S)
        else:
            return
    raise StartFailedError(
        f"{service.name} did not become ready: {reason}; the log {log} ends with:\n{last_lines(log)}"
    )
