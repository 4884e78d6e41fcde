"""Only one command at a time may change the stack."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from tidemill.config.errors import TransientError
from tidemill.stack.folders import Folders


class StackLockedError(TransientError):
    """Another command is changing the stack."""


@contextmanager
def locked(folders: Folders) -> Iterator[None]:
    """The stack's lock, which the kernel releases when its holder dies.

    Raises:
        StackLockedError: another process holds it, or has just removed the home folder.
    """
    path = folders.run / "lock"
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise StackLockedError(
                f"process {holder} is starting or stopping the stack in {folders.home}: wait until it is done"
            ) from error
        if not path.exists() or not os.path.samestat(path.stat(), os.fstat(file.fileno())):
            raise StackLockedError(f"{folders.home} has just been removed by `tidemill down --purge`: try again")
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
