"""What can go wrong at the control store."""

from tidemill.config.errors import TerminalError, TransientError


class ControlStoreAwayError(TransientError):
    """Its database does not answer, or others hold it for too long; what was asked for may have been done or not."""


class ControlStoreRefusedError(TerminalError):
    """Its database answered that it will not do this: no right, no such database, a damaged file."""


class ControlStoreNewerError(TerminalError):
    """Its tables were made by a later version of the platform."""


class NoSuchRequestError(TerminalError):
    """No request has this id."""


class StateConflictError(TerminalError):
    """What was to be changed is not as it was expected to be: another was first."""


class LeaseLostError(TerminalError):
    """The token is outdated: the lease was given back, taken over, or the request was cancelled."""


class UnusableRecordError(TerminalError):
    """A value that the store cannot keep; the message names it."""
