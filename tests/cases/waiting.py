"""Waiting for what follows a moment after its cause, however long a busy machine takes."""

import time
from collections.abc import Callable

PATIENCE_S = 600.0


def eventually(holds: Callable[[], bool], what: str) -> None:
    """Wait until ``holds``, or fail saying that ``what`` never came."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, f"{what}: not within {PATIENCE_S:.0f} s"
        time.sleep(0.05)
