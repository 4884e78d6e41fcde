"""One change of a model's registry entry at a time on this machine."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tidemill.config.errors import TransientError
from tidemill.config.settings import Settings

WAIT_S = 10.0


class RegistryBusyError(TransientError):
    """Another process is registering or promoting a version of the same model."""


@contextmanager
def registry_lock(settings: Settings, use_case: str) -> Iterator[None]:
    """Holds the lock; it is released when the process ends, however it ends.

    Raises:
        RegistryBusyError: it was not free within ten seconds.
    """
    path = settings.home / "locks" / f"registry-{use_case}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + WAIT_S
    with path.open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise RegistryBusyError(f"model {use_case!r} is being changed by another process") from None
                time.sleep(0.05)
        yield
