"""The shop's days after its history, sent live as ``tidemill produce`` does, started again whenever it ends."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from threading import Event, Thread
from typing import IO

RATE = 15
SLICE_S = 300
"""One command sends so long; what it had acknowledged is known when it ends."""
PAUSE_S = 2.0
STOP_S = 120.0


class LiveEvents:
    """``acknowledged`` are the messages by topic that the commands said the broker has; ``failed``: commands."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        program = str(Path(sys.executable).parent / "tidemill")
        self._command = [program, "produce", "simulator", "--live", str(RATE), "--seconds", str(SLICE_S), "--json"]
        self._environment = environment
        self._log = log
        self._stop = Event()
        self._process: subprocess.Popen[str] | None = None
        self._thread = Thread(target=self._run, name="live events", daemon=True)
        self.acknowledged: Counter[str] = Counter()
        self.commands = 0
        self.failed = 0

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ask the command that runs to send no more, and wait for what it says."""
        self._stop.set()
        process = self._process
        if process is not None:
            process.terminate()
        self._thread.join(STOP_S)

    def _run(self) -> None:
        with self._log.open("a", encoding="utf-8") as log:
            while not self._stop.is_set():
                self._send(log)
                self._stop.wait(PAUSE_S)

    def _send(self, log: IO[str]) -> None:
        self._process = subprocess.Popen(
            self._command, env=self._environment, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True
        )
        output, _ = self._process.communicate()
        self.commands += 1
        self.failed += self._process.returncode != 0 and not self._stop.is_set()
        try:
            summary = json.loads(output)
        except json.JSONDecodeError:
            return  # it ended before it could tell
        for topic, counts in summary["by_topic"].items():
            self.acknowledged[topic] += counts["produced"]
