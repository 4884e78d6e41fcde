"""What an estimate without labels is: a value and its interval, or why there is none."""

from collections.abc import Mapping
from dataclasses import dataclass

from ml_modeling.evaluation.estimate import Estimate
from tidemill.config.errors import TerminalError


class CalibrationError(TerminalError):
    """Too little, or nothing, to calibrate an estimate on."""


@dataclass(frozen=True)
class CannotKnow:
    """``reason`` is a sentence for people."""

    reason: str


LabelFree = Mapping[str, Estimate | CannotKnow]
"""Each metric by name."""
