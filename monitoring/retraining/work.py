"""What the stages work with, and what a stage is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ml_modeling.use_case import UseCase
from monitoring.control import ControlStore, RetrainRequest
from monitoring.retraining.lease import HeldLease
from tidemill.config.settings import Settings

if TYPE_CHECKING:
    from ml_modeling.frames.frame import SplitFrame  # Spark, which all stages but the first do without


@dataclass(frozen=True)
class Work:
    """``read`` gives the frame of a use case, ``say`` tells a line of progress."""

    settings: Settings
    store: ControlStore
    use_case: UseCase
    read: "Callable[[UseCase], SplitFrame]"
    say: Callable[[str], None]


Stage = Callable[[Work, RetrainRequest, HeldLease], RetrainRequest]
