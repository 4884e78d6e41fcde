"""What a retrain request may be, and may become."""

from collections.abc import Mapping
from enum import StrEnum


class Source(StrEnum):
    """What asks for a retraining."""

    DRIFT = "drift"
    PERFORMANCE = "performance"
    CONSISTENCY = "consistency"
    SCHEDULE = "schedule"
    NEW_DATA = "new_data"
    PERSON = "person"

    @property
    def is_automatic(self) -> bool:
        return self is not Source.PERSON


class State(StrEnum):
    REQUESTED = "requested"
    CLAIMED = "claimed"
    TRAINED = "trained"
    GATED = "gated"
    CANARY = "canary"
    PROMOTED = "promoted"
    REJECTED = "rejected"
    FAILED = "failed"
    EXPIRED = "expired"

    @property
    def is_finished(self) -> bool:
        return not NEXT[self]


NEXT: Mapping[State, frozenset[State]] = {
    State.REQUESTED: frozenset({State.CLAIMED, State.REJECTED, State.EXPIRED}),
    State.CLAIMED: frozenset({State.REQUESTED, State.TRAINED, State.REJECTED, State.FAILED}),
    State.TRAINED: frozenset({State.GATED, State.REJECTED, State.FAILED}),
    State.GATED: frozenset({State.CANARY, State.PROMOTED, State.REJECTED, State.FAILED}),
    State.CANARY: frozenset({State.PROMOTED, State.REJECTED, State.FAILED}),
    State.PROMOTED: frozenset(),
    State.REJECTED: frozenset(),
    State.FAILED: frozenset(),
    State.EXPIRED: frozenset(),
}
"""The allowed transitions.

Rejected is what a gate, a guard of the rollout or a person said no to; expired what nobody took in time.
"""

OPEN = tuple(state for state in State if not state.is_finished)
WORKED = (State.PROMOTED, State.REJECTED, State.FAILED)
"""Ends after which automatic sources are asked to wait; a request that expired was never looked at."""
BY_HOLDER = frozenset({State.TRAINED, State.GATED, State.CANARY, *WORKED})
"""What the holder of a lease may move a request to; the others follow from claims, time and persons."""


class Policy(StrEnum):
    """How a challenger comes to its traffic."""

    DIRECT = "direct"
    MANUAL = "manual"
    SHADOW = "shadow"
    CANARY = "canary"
    AB = "ab"
    BLUE_GREEN = "blue_green"
