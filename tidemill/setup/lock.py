"""One process at a time makes what all projects share; the others wait, and find it made."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tidemill.config.errors import TerminalError


class SetupFailedError(TerminalError):
    """A part of set-up could not be made; running it again begins where it was."""


@contextmanager
def alone(place: Path) -> Iterator[None]:
    """Hold the lock of ``place``, whose folder is made."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        file = (place.parent / f".{place.name}.lock").open("a")
    except OSError as error:
        raise SetupFailedError(
            f"{place} cannot be made: {error.strerror}: give yourself the right, or another TIDEMILL_CACHE"
        ) from error
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
