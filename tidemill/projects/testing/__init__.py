"""Tests of a project's definitions, without a server: given these events, at this time, expect these values.

And without anything written: every feature group against a naive judge, on events generated from its own contract.
"""

from tidemill.projects.testing.definitions import Definitions

__all__ = ["Definitions"]
