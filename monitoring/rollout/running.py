"""What the history of the traffic says of the rollout that runs, and of those that are over."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import takewhile
from typing import cast
from uuid import UUID

from monitoring.control import ControlStore, ModelRef, Rollout

ENDED = "ended"
"""The key of the evidence of a change that ends a rollout."""
OVERRIDE = "is_override"


class End(StrEnum):
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled_back"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Running:
    """The changes of one rollout, the newest first; its number is the epoch that it began with."""

    changes: Sequence[Rollout]

    @property
    def now(self) -> Rollout:
        return self.changes[0]

    @property
    def began(self) -> Rollout:
        return self.changes[-1]

    @property
    def challenger(self) -> ModelRef:
        return cast(ModelRef, self.now.traffic.challenger)

    @property
    def epochs(self) -> Sequence[int]:
        return [change.epoch for change in self.changes]

    @property
    def step_epochs(self) -> Sequence[int]:
        """Those of the step that it is in: an epoch that left the traffic as it was belongs to it."""
        return [change.epoch for change in self.changes if change.traffic == self.now.traffic]

    @property
    def is_override(self) -> bool:
        return bool(self.began.evidence.get(OVERRIDE, False))


@dataclass(frozen=True)
class Over:
    """A rollout that is over: what it was, and the change that ended it."""

    rollout: Running
    end: Rollout

    @property
    def kind(self) -> End:
        return End(self.end.evidence[ENDED])


def running(store: ControlStore, use_case: str) -> Running | None:
    """The rollout that runs now."""
    return _running(store.rollouts.history(use_case))


def last_over(store: ControlStore, use_case: str, request_id: UUID | None = None) -> Over | None:
    """The rollout that ended last; of those done for ``request_id``, where one is given."""
    history = store.rollouts.history(use_case)
    for place, change in enumerate(history):
        is_meant = request_id is None or change.request_id == request_id
        before = _running(history[place + 1 :])
        if is_meant and before is not None and change.evidence.get(ENDED) in set(End):
            return Over(before, change)
    return None


def _running(history: Sequence[Rollout]) -> Running | None:
    """What the newest change of ``history`` belongs to."""
    if not history or history[0].traffic.challenger is None:
        return None
    challenger = history[0].traffic.challenger
    return Running(list(takewhile(lambda change: change.traffic.challenger == challenger, history)))
