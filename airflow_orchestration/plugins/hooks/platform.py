"""Runs one command of the platform environment and guarantees that nothing of it outlives the task."""

import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from tidemill.config.environment import process_environment
from tidemill.config.errors import TerminalError, TransientError
from tidemill.config.settings import REPO, Settings

GRACE_S = 3.0
DRAIN_S = 30.0
MAX_LINE_BYTES = 1_000_000
KEPT_STDOUT_LINES = 2_000
KEPT_STDERR_LINES = 50
SHOWN_LINES = 5
ANSWER_S = 120.0
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class CommandResult:
    """How a command ended; ``exit_status`` is minus the signal's number when a signal ended it."""

    exit_status: int
    stdout: tuple[str, ...]
    stderr: tuple[str, ...]

    @property
    def document(self) -> Any:
        """Stdout when all of it is one JSON document, else its last line that is a JSON object, else None."""
        whole = _json("\n".join(self.stdout))
        if whole is not None:
            return whole
        return next((parsed for parsed in map(_json, reversed(self.stdout)) if isinstance(parsed, dict)), None)


class PlatformHook(BaseHook):  # type: ignore[misc]
    """Runs commands of ``settings.platform_environment`` in the repository's folder."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, command: Sequence[str]) -> CommandResult:
        """Run ``command`` (a program of the environment and its arguments), each line of output a line of the task log.

        Raises:
            AirflowException: the process that supervises this task is gone, so nobody waits for the result.
        """
        line = self._line(command)
        self.log.info("Running %s", " ".join(line))
        self._process = process = self._start(line)
        stdout: deque[str] = deque(maxlen=KEPT_STDOUT_LINES)
        stderr: deque[str] = deque(maxlen=KEPT_STDERR_LINES)
        readers = [self._reader(process.stdout, stdout), self._reader(process.stderr, stderr)]
        try:
            _wait(process)
        finally:
            self._end(process)
            for reader in readers:
                reader.join(DRAIN_S)  # it ends at once, unless something outside the group still holds the pipe
        return CommandResult(process.returncode, tuple(stdout), tuple(stderr))

    def ask(self, command: Sequence[str]) -> CommandResult:
        """Run ``command`` for its answer, however long: nothing of it is a line of the log.

        One that has not answered within ``ANSWER_S`` is ended, and may be asked again.
        """
        self._process = process = self._start(self._line(command))
        try:
            stdout, stderr = process.communicate(timeout=ANSWER_S)
        except subprocess.TimeoutExpired:
            return CommandResult(TransientError.exit_status, (), (f"no answer within {ANSWER_S:.0f} s",))
        finally:
            self._end(process)
        return CommandResult(process.returncode, _lines(stdout), _lines(stderr))

    def terminate(self) -> None:
        """Ask the command's whole process group to end, and kill it when it has not within ``GRACE_S``."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        _signal_group(process, signal.SIGTERM)
        timer = threading.Timer(GRACE_S, self._kill, (process,))
        timer.daemon = True
        timer.start()

    def _kill(self, process: subprocess.Popen[bytes]) -> None:
        if process.returncode is None:
            self.log.warning("process group %d ignored SIGTERM for %.0f s, killing it", process.pid, GRACE_S)
            _signal_group(process, signal.SIGKILL)

    def _line(self, command: Sequence[str]) -> list[str]:
        return [str(self._settings.platform_environment / "bin" / command[0]), *command[1:]]

    def _start(self, line: Sequence[str]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            line,
            cwd=REPO,
            env=platform_variables(self._settings, os.environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            preexec_fn=_die_with_parent(),  # noqa: PLW1509 - one system call, no lock or allocation of Python's
        )

    def _reader(self, stream: IO[bytes] | None, kept: deque[str]) -> threading.Thread:
        def read() -> None:
            while stream and (raw := stream.readline(MAX_LINE_BYTES)):
                text = raw.decode(errors="replace").rstrip("\r\n")
                kept.append(text)
                self.log.info("%s", text)

        thread = threading.Thread(target=read, daemon=True)
        thread.start()
        return thread

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        if process.poll() is None:
            _signal_group(process, signal.SIGTERM)
            try:
                process.wait(GRACE_S)
            except subprocess.TimeoutExpired:
                self._kill(process)
                process.wait()
        _signal_group(process, signal.SIGKILL)  # what the command left running


def failure(command: Sequence[str], result: CommandResult) -> AirflowException:
    """The exception that says how ``command`` ended, of the type that decides whether Airflow tries again."""
    name, status = " ".join(command), result.exit_status
    said = " | ".join([line for line in (*result.stdout, *result.stderr) if line.strip()][-SHOWN_LINES:])
    if status == TransientError.exit_status:
        return AirflowException(f"`{name}` failed and may work when tried again: {said}")
    ended_by = -status if status < 0 else status - 128
    if ended_by > 0:
        return AirflowException(f"`{name}` was ended by signal {ended_by}: {said}")
    kind = "stopped" if status == TerminalError.exit_status else f"ended with exit status {status}"
    return AirflowFailException(f"`{name}` {kind}, trying again would change nothing: {said}")


def platform_variables(settings: Settings, inherited: Mapping[str, str]) -> dict[str, str]:
    """The environment of a platform command: that of every process, the platform's programs first."""
    environment = process_environment(settings, inherited)
    ours, airflow = (str(path / "bin") for path in (settings.platform_environment, settings.airflow.environment))
    path = [folder for folder in environment.get("PATH", os.defpath).split(os.pathsep) if folder not in (ours, airflow)]
    return environment | {"PATH": os.pathsep.join([ours, *path])}


def _lines(output: bytes) -> tuple[str, ...]:
    return tuple(output.decode(errors="replace").splitlines())


def _wait(process: subprocess.Popen[bytes]) -> None:
    supervisor = os.getppid()
    while True:
        try:
            process.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            if os.getppid() != supervisor:
                raise AirflowException("the supervisor of this task is gone: the command was stopped") from None
        else:
            return


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return


def _die_with_parent() -> Callable[[], None] | None:
    """On Linux: have the kernel send SIGTERM to the command when this process dies without having stopped it."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    return lambda: prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return None
