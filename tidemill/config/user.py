"""Who runs this process: a container may give it a user id that the system knows nothing of."""

import getpass
import os
import pwd
from pathlib import Path

from tidemill.config.errors import TerminalError


class UnnamedUserError(TerminalError):
    """The user id has no name; the message says what to give."""


def user_name() -> str:
    """The name of the user, by ``LOGNAME`` or ``USER`` if they are set.

    Raises:
        UnnamedUserError: it has none.
    """
    try:
        return getpass.getuser()
    except (KeyError, OSError) as error:
        raise UnnamedUserError(f"user id {os.getuid()} has no name: say who it is with --by, or set USER") from error


def check_named() -> None:
    """Raises UnnamedUserError where Java could not tell who runs it: it asks the system, and no variable answers."""
    try:
        pwd.getpwuid(os.getuid())
    except KeyError as error:
        raise UnnamedUserError(
            f"user id {os.getuid()} has no name, which Spark and Airflow need: run as a user that /etc/passwd has, "
            f"or add the line tidemill:x:{os.getuid()}:{os.getgid()}::{os.environ.get('HOME', '/tmp')}:/bin/sh to it"  # noqa: S108
        ) from error


def own_home() -> Path | None:
    """The user's home folder; None where neither ``HOME`` nor the system tells it."""
    try:
        return Path.home()
    except RuntimeError:
        return None
