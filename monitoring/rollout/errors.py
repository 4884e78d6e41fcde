"""What can go wrong with a rollout, besides what the store, the registry and the lake say themselves."""

from tidemill.config.errors import TerminalError, TransientError


class RolloutRunsError(TransientError):
    """Another version of the use case is being rolled out: one at a time."""


class IsChampionError(TerminalError):
    """The version answers everybody already."""


class NoRolloutError(TerminalError):
    """Nothing is being rolled out."""


class NotToBeApprovedError(TerminalError):
    """The challenger is another one, or waits for nobody."""


class ReplayDiffersError(TerminalError):
    """The champion says of its own logged answers something else now: nothing is rolled out on that ground."""


class StoppedMeanwhileError(TransientError):
    """The traffic was changed while the challenger was about to be promoted."""


class UndecidableError(TerminalError):
    """The rollout would be over before anything that it waits for can be known."""
