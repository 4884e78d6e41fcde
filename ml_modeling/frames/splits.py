"""The parts of a frame, split in time: what a split has to tell, however it was made."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from tidemill.config.errors import TerminalError

Mask = npt.NDArray[np.bool_]


class HistoryTooShortError(TerminalError):
    """Not enough history for the split; the message says how much there is and how much is needed."""


class Part(StrEnum):
    """What a row is for: ``FIT`` are the rows of the final fit, which is only tested."""

    TRAIN = "train"
    VALIDATION = "validation"
    FIT = "final fit"
    TEST = "test"


class Split(Protocol):
    """Which rows belong to which part, by the time they are asked about (UTC, without a zone)."""

    def holds(self, part: Part, times: "pd.Series[pd.Timestamp]") -> Mask:
        """Whether a row of each of ``times`` is in the part."""

    def known_by(self, part: Part) -> datetime:
        """Until when (not included) a label must be known for its row to be used in the part."""

    def described(self) -> Mapping[str, str]:
        """The parts, as parameters of a run."""
