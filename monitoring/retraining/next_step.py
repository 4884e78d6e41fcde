"""Where a request goes whose model passed its gates."""

from monitoring.control import RetrainRequest, State


def next_step(_request: RetrainRequest) -> State:
    """``PROMOTED``: the model becomes champion at once; ``CANARY`` would hand the request to a rollout."""
    return State.PROMOTED
