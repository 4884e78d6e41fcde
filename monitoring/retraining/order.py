"""How far a request has come, and what of it is to be worked off here."""

from datetime import timedelta

from monitoring.control import RetrainRequest, State
from monitoring.retraining.errors import NotAtStageError

ORDER = (State.REQUESTED, State.CLAIMED, State.TRAINED, State.GATED, State.CANARY)
"""How far a request has come; what is finished has come further than any of these."""
TO_WORK_OFF = (State.REQUESTED, State.CLAIMED, State.TRAINED, State.GATED)
"""What is claimed to be trained and promoted; what is in a rollout is not."""
EXPIRES_AFTER = timedelta(days=30)
"""What nobody has taken for so long was asked for by a champion and by evidence of another time."""


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
