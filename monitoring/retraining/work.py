"""What the stages work with, and what a stage is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ml_modeling.use_case import UseCase
from monitoring.control import ControlStore, RetrainRequest, State
from monitoring.retraining.errors import NotAtStageError
from monitoring.retraining.lease import HeldLease
from tidemill.config.settings import Settings

if TYPE_CHECKING:
    from ml_modeling.frames.frame import SplitFrame  # Spark, which all stages but the first do without

ORDER = (State.REQUESTED, State.CLAIMED, State.TRAINED, State.GATED, State.CANARY)
"""How far a request has come; what is finished has come further than any of these."""
TO_WORK_OFF = (State.REQUESTED, State.CLAIMED, State.TRAINED, State.GATED)
"""What is claimed to be trained and promoted; what is in a rollout is not."""


@dataclass(frozen=True)
class Work:
    """``read`` gives the frame of a use case, ``say`` tells a line of progress."""

    settings: Settings
    store: ControlStore
    use_case: UseCase
    read: "Callable[[UseCase], SplitFrame]"
    say: Callable[[str], None]


Stage = Callable[[Work, RetrainRequest, HeldLease], RetrainRequest]


def is_past(request: RetrainRequest, state: State) -> bool:
    """Whether what is done in ``state`` is done.

    Raises:
        NotAtStageError: the request has not come so far.
    """
    if request.state.is_finished:
        return True
    if ORDER.index(request.state) < ORDER.index(state):
        raise NotAtStageError(
            f"request {request.id} is {request.state}, and this is done when it is {state}: "
            "claim it and do the stages before (`tidemill retrain run` does them all)"
        )
    return request.state is not state
