"""Running a ``tidemill`` command as a person would, its log kept and its JSON read."""

import json
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import IO, Any

from tidemill.config.errors import TerminalError, TransientError
from tidemill.config.settings import Settings

TAIL_LINES = 5
TRIES = 3
PAUSE_S = 10.0
_running: set[subprocess.Popen[str]] = set()


class CommandError(TerminalError):
    """A command of the demo failed; the message ends with its last lines and the path of its log."""


class CommandAwayError(CommandError):
    """It said that trying again may help."""


def run_json(settings: Settings, arguments: Sequence[str], log: Path, say: Callable[[str], None]) -> Any:
    """What ``tidemill ARGUMENTS --json`` prints on stdout.

    Everything it writes to stderr goes to ``log`` and, line by line, to ``say``. A command whose exit status says that
    a service is away is tried again, as Airflow does.

    Raises:
        CommandError: non-zero exit, or stdout is not one JSON document.
    """
    for _ in range(TRIES - 1):
        try:
            return _run_json(settings, arguments, log, say)
        except CommandAwayError as error:
            say(f"tried again: {error}")
            time.sleep(PAUSE_S)
    return _run_json(settings, arguments, log, say)


def _run_json(settings: Settings, arguments: Sequence[str], log: Path, say: Callable[[str], None]) -> Any:
    command = [str(settings.platform_environment / "bin" / "tidemill"), *arguments, "--json"]
    log.parent.mkdir(parents=True, exist_ok=True)
    tail: deque[str] = deque(maxlen=TAIL_LINES)
    with log.open("a", encoding="utf-8") as file:
        file.write(f"$ tidemill {' '.join(arguments)} --json\n")
        with _started(command) as process:
            assert process.stdout is not None and process.stderr is not None  # noqa: S101 - both are pipes
            reader = Thread(target=_follow, args=(process.stderr, file, tail, say), daemon=True)
            reader.start()
            output = process.stdout.read()
            status = process.wait()
            reader.join()
    if status:
        kind = CommandAwayError if status == TransientError.exit_status else CommandError
        raise kind(f"`tidemill {' '.join(arguments)}` exited with {status}: {' / '.join(tail)}; log: {log}")
    try:
        return json.loads(output)
    except json.JSONDecodeError as error:
        raise CommandError(f"`tidemill {' '.join(arguments)}` printed no JSON ({error}); log: {log}") from error


def end_commands() -> None:
    """Ask the commands that run, in whatever thread, to end."""
    for process in tuple(_running):
        process.terminate()


@contextmanager
def _started(command: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    """A process that is gone when the block is left, whatever the reason."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace")
    _running.add(process)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()
        _running.discard(process)


def _follow(stream: IO[str], file: IO[str], tail: deque[str], say: Callable[[str], None]) -> None:
    for line in stream:
        file.write(line)
        file.flush()
        text = line.strip()
        if text:
            tail.append(text)
            say(text)
