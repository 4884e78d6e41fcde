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

    @property
    def is_monitor(self) -> bool:
        """Whether it asks because of what is wrong, again and again while that lasts."""
        return self in {Source.DRIFT, Source.PERFORMANCE, Source.CONSISTENCY}


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


def by_holder(state: State) -> frozenset[State]:
    """What who holds a request in ``state`` may move it to; claims, time and persons do the rest."""
    return frozenset() if state is State.REQUESTED else NEXT[state] - {State.REQUESTED}


class Policy(StrEnum):
    """How a challenger comes to its traffic."""

    DIRECT = "direct"
    MANUAL = "manual"
    SHADOW = "shadow"
    CANARY = "canary"
    AB = "ab"
    BLUE_GREEN = "blue_green"
