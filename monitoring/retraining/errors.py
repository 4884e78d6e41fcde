"""What can go wrong while a request is worked off, besides what its stages say themselves."""

from tidemill.config.errors import TerminalError, TransientError


class UnusablePolicyError(TerminalError):
    """A request's policy that nobody can train by; the message names the key."""


class UnusableProgressError(TerminalError):
    """What an earlier stage noted in a request is not there, or is not what it writes."""


class GivenUpError(TerminalError):
    """A request whose workers were lost one after another."""


class WrongUseCaseError(TerminalError):
    """A request that is to be worked off as one of another use case."""


class NotAtStageError(TerminalError):
    """The request has not come as far as the stage that is to be done."""


class DataNotAsExpectedError(TransientError):
    """A table to learn from fails a critical expectation: the request waits until that is mended."""
