"""Where a request goes whose model passed its gates."""

from ml_modeling.use_case import UseCase
from monitoring.control import Policy, State


def next_step(use_case: UseCase) -> State:
    """``PROMOTED`` under the policy direct: the model becomes champion at once; else ``CANARY``: its rollout has it."""
    return State.PROMOTED if Policy(use_case.spec.rollout.policy) is Policy.DIRECT else State.CANARY
