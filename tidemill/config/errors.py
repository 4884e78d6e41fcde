"""Errors that a person can act on: the message says what was wrong, where, and what to do next."""

import difflib
from collections.abc import Iterable


class TidemillError(Exception):
    """An expected error."""

    exit_status = 1

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else type(self).__name__


class TransientError(TidemillError):
    """It may work when tried again: a service is away, a lock is held."""

    exit_status = 75


class TerminalError(TidemillError):
    """Trying again changes nothing: a bad value, a missing file, a broken contract."""


class ConfigError(TerminalError):
    """A setting that cannot be used; the message names the key, the value and where it came from."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Advice for the end of a sentence: what ``name`` may be meant for, else what there is."""
    there = sorted(known)
    for close in difflib.get_close_matches(name, there, n=1):
        return f"; did you mean {close!r}?"
    return f"; there is {', '.join(there)}" if there else ""
