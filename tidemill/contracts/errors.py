"""The error of a contract that cannot serve."""

from tidemill.config.errors import TerminalError


class ContractError(TerminalError):
    """A schema file that cannot serve as a contract, or a topic that has none."""
