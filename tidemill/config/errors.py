"""Errors that a person can act on: the message says what was wrong, where, and what to do next."""


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
