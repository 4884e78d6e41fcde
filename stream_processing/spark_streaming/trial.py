"""A part of a batch tried in a process of its own, on scratch tables: it may kill or hang that one as it likes."""

import json
import logging
import os
import signal
import subprocess
import threading
from dataclasses import asdict
from pathlib import Path

from config.environment import settings_environment
from config.settings import Settings
from stream_processing.spark_streaming.offset_ranges import Part, size

SCRIPT = Path(__file__).with_name("trial_process.py")
BEGUN = b"begun\n"
"""What the process prints when its limit begins to count."""
START_S = 300.0
SHORTEST_S = 60.0
"""A part of few messages takes a process this long when its machine has much to do: the code is compiled anew."""
_ONE_AT_A_TIME = threading.Lock()
logger = logging.getLogger("tidemill.stream")


def passes(settings: Settings, topic: str, scratch: str, part: Part, share: float) -> bool:
    """Whether another process lives to write ``part`` of bronze, ``share`` of a batch, to tables in ``scratch``.

    One is tried at a time: each takes the memory of a Spark driver.
    """
    limit_s = min(settings.stream.stuck_after_s, max(SHORTEST_S, settings.stream.stuck_after_s * share))
    arguments = [topic, scratch, json.dumps([asdict(offsets) for offsets in part])]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYSPARK_GATEWAY")}
    with _ONE_AT_A_TIME:
        process = subprocess.Popen(
            [str(settings.platform_environment / "bin" / "python"), str(SCRIPT), *arguments],
            env=environment | settings_environment(settings),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            status = _wait(process, limit_s)
        finally:
            _kill_group(process)
    logger.warning("%s: a trial of %d offsets %s", topic, size(part), "passed" if status == 0 else f"ended: {status}")
    return status == 0


def _wait(process: subprocess.Popen[bytes], limit_s: float) -> int | str:
    """Its exit status, or what it took too long for; the time it needs to start does not count."""
    begun = threading.Event()
    threading.Thread(target=_listen, args=(process, begun), daemon=True).start()
    begun.wait(START_S)
    try:
        return process.wait(limit_s)
    except subprocess.TimeoutExpired:
        return f"not within {limit_s:.0f} s"


def _listen(process: subprocess.Popen[bytes], begun: threading.Event) -> None:
    """Until the process has begun or ended."""
    if process.stdout is not None:
        while (line := process.stdout.readline()) and line != BEGUN:
            continue
    begun.set()


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """Python, its JVM and the workers of that."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    finally:
        process.wait()
