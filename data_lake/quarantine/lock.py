"""One replay of a topic at a time in a home folder: what its holder finds half done there is nobody's any more."""

import fcntl
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from tidemill.config.errors import TransientError
from tidemill.config.files import replace_file
from tidemill.config.settings import Settings


class ReplayRunsError(TransientError):
    """Another process replays the quarantine of the same topic."""


@contextmanager
def replaying(settings: Settings, topic: str) -> Iterator[str]:
    """The name under which this home folder claims messages of ``topic``, for as long as no other process may.

    Raises:
        ReplayRunsError: one does.
    """
    folder = settings.home / "quarantine"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{topic}.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ReplayRunsError(
                f"another process replays the quarantine of {topic}: wait until it has ended"
            ) from None
        name = folder / f"{topic}.replayer"
        if not name.exists():
            replace_file(name, uuid.uuid4().hex.encode())
        yield name.read_text()
