"""``tidemill ingest`` as a process that a test may disturb."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tidemill.config import Settings
from tidemill.config.environment import settings_environment
from tidemill.config.settings import REPO
from tidemill.stack.supervision.running import stop_group


@contextmanager
def started(settings: Settings, *arguments: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """The command in its own process, gone when the block is left."""
    process = subprocess.Popen(
        [str(settings.platform_environment / "bin" / "tidemill"), "ingest", *arguments],
        env=os.environ | settings_environment(settings) | variables,
        cwd=REPO,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        stop_group(process, 5)


def finish(settings: Settings, *arguments: str, **variables: str) -> dict[str, Any]:
    """The document of a run that nothing disturbs."""
    with started(settings, *arguments, "--json", **variables) as process:
        out, err = process.communicate(timeout=500)
    assert process.returncode == 0, err
    summary: dict[str, Any] = json.loads(out)
    return summary


def wait_for_progress(settings: Settings, mapping: str, process: subprocess.Popen[str]) -> int:
    """Wait until a part was acknowledged and noted; its position."""
    for _ in range(15_000):
        for path in (settings.home / "progress").glob(f"{mapping}-*.json"):
            progress = json.loads(path.read_text())
            assert not progress["is_finished"], "all was sent before it could be disturbed"
            return int(progress["position"])
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.02)
    raise AssertionError("no progress was noted")
