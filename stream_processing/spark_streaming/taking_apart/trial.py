"""A part of a batch tried in a process of its own, on scratch tables: it may kill or hang that one as it likes."""

import json
import logging
import os
import signal
import subprocess
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from stream_processing.spark_streaming.taking_apart.offset_ranges import Part, size
from tidemill.config.environment import settings_environment
from tidemill.config.errors import TransientError
from tidemill.config.settings import Settings

SCRIPT = Path(__file__).with_name("trial_process.py")
BEGUN = b"begun\n"
"""What the process prints when its limit begins to count: from there on it reads messages."""
FAILED = TransientError.exit_status
"""Its exit status when an ordinary exception ended it; the last line that it printed says which."""
START_S = 300.0
SHORTEST_S = 60.0
"""A part of few messages takes a process this long when its machine has much to do: the code is compiled anew."""
_ONE_AT_A_TIME = threading.Lock()
LAST_LINE_S = 5.0
logger = logging.getLogger("tidemill.stream")


class TrialFailedError(TransientError):
    """A trial ended in a way that tells nothing of the messages in it."""


@dataclass(frozen=True)
class Ended:
    """How a trial ended: ``has_begun`` to read messages; ``status`` is None when it took longer than ``limit_s``."""

    has_begun: bool
    status: int | None
    last_line: str
    limit_s: float

    def __str__(self) -> str:
        if not self.has_begun and self.status != FAILED:
            why = "in time" if self.status is None else f"and ended with status {self.status}"
            return f"did not get as far as to read messages {why}"
        if self.status is None:
            return f"did not end within {self.limit_s:.0f} s"
        if self.status == FAILED:
            return f"failed: {self.last_line}"
        return "passed" if self.status == 0 else f"ended with status {self.status}"


def passes(settings: Settings, topic: str, scratch: str, part: Part, share: float) -> bool:
    """Whether another process lives to write ``part`` of bronze, ``share`` of a batch, to tables in ``scratch``.

    Without a part it writes a message of its own that is known to be good. One is tried at a time: each takes the
    memory of a Spark driver.

    Raises:
        TrialFailedError: it neither lived nor died of what it read.
    """
    limit_s = min(settings.stream.stuck_after_s, max(SHORTEST_S, settings.stream.stuck_after_s * share))
    arguments = [topic, scratch, json.dumps([asdict(offsets) for offsets in part])]
    command = [str(settings.platform_environment / "bin" / "python"), str(SCRIPT), *arguments]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYSPARK_GATEWAY")}
    with _ONE_AT_A_TIME:
        ended = _run(command, environment | settings_environment(settings), limit_s)
    logger.warning("%s: a trial of %s %s", topic, f"{size(part)} offsets" if part else "a good message", ended)
    if ended.status == FAILED or not ended.has_begun:
        raise TrialFailedError(f"a batch killed or hung the application, and a trial of its messages {ended}")
    return ended.status == 0


def _run(command: list[str], environment: dict[str, str], limit_s: float) -> Ended:
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True
    )
    output = _Output(process.stdout)
    try:
        status = _wait(process, output, limit_s)
    finally:
        _kill_group(process)
    output.join(LAST_LINE_S)
    return Ended(output.has_begun, status, output.last_line, limit_s)


def _wait(process: subprocess.Popen[bytes], output: "_Output", limit_s: float) -> int | None:
    """Its exit status, or None when it took too long; the time it needs to start has a limit of its own."""
    in_time = output.heard.wait(START_S)
    try:
        return process.wait(limit_s if in_time else 0)
    except subprocess.TimeoutExpired:
        return None


class _Output(threading.Thread):
    """Reads what the process prints; ``heard`` is set when it has begun or ended."""

    def __init__(self, stream: IO[bytes] | None) -> None:
        super().__init__(daemon=True)
        self._stream = stream
        self.heard = threading.Event()
        self.has_begun = False
        self.last_line = ""
        self.start()

    def run(self) -> None:
        for line in self._stream or ():
            if line == BEGUN:
                self.has_begun = True
                self.heard.set()
            self.last_line = line.decode(errors="replace").strip() or self.last_line
        self.heard.set()


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """Python, its JVM and the workers of that."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    finally:
        process.wait()
