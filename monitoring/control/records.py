"""What goes into the control store and comes out of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from monitoring.control.states import Policy, Source, State

Json = Mapping[str, Any]
"""A JSON object; a number in it that is not finite is kept as null."""


@dataclass(frozen=True)
class Ask:
    """Who wants a retraining of what, and why; ``key`` is the same wherever the same thing is meant."""

    use_case: str
    source: Source
    key: str
    reason: str
    actor: str
    evidence: Json = field(default_factory=dict)
    policy: Json = field(default_factory=dict)


@dataclass(frozen=True)
class Limits:
    """On what automatic sources may ask of a use case; a person's request passes, and counts towards ``per_day``.

    ``cool_down`` is the shortest rest: see :mod:`monitoring.control.resting`. ``at_once`` requests of automatic sources
    may be open: what else they see is of the champion that such a request may be about to replace.
    """

    cool_down: timedelta = timedelta(hours=24)
    per_day: int = 3
    at_once: int = 1


@dataclass(frozen=True)
class Lease:
    """The right to move a request, until a later claim has a higher token."""

    request_id: UUID
    token: int


@dataclass(frozen=True)
class RetrainRequest:
    """A request as it is now. ``ordinal`` counts its trail; ``progress`` has what each stage noted, by its state."""

    number: int
    id: UUID
    use_case: str
    source: Source
    key: str
    reason: str
    actor: str
    evidence: Json
    policy: Json
    state: State
    ordinal: int
    requested_at: datetime
    asked: int
    last_asked_at: datetime
    finished_at: datetime | None
    progress: Json
    token: int
    holder: str | None
    lease_from: datetime | None
    lease_until: datetime | None

    @property
    def lease(self) -> Lease:
        """That of who claimed it last."""
        return Lease(self.id, self.token)


@dataclass(frozen=True)
class Transition:
    """A row of a request's trail; the state stays the same where only its holder changed, or something was noted.

    ``token`` is that of the lease by which it was moved, null where no lease was needed.
    """

    ordinal: int
    at: datetime
    actor: str
    from_state: State | None
    to_state: State
    token: int | None
    detail: Json


@dataclass(frozen=True)
class Suppressed:
    """An ask that made no request; ``detail`` is the sentence that says why."""

    number: int
    at: datetime
    use_case: str
    source: Source
    key: str
    reason: str
    actor: str
    evidence: Json
    why: Literal["open", "cool_down", "budget"]
    detail: str


@dataclass(frozen=True)
class ModelRef:
    """A version, and the model that it stands for: its run, its id and the digest of its files."""

    version: str
    run_id: str
    model_id: str
    digest: str = ""


@dataclass(frozen=True)
class Traffic:
    """Which model answers: the challenger ``share`` per cent of the entities, the champion the others."""

    policy: Policy
    champion: ModelRef | None
    challenger: ModelRef | None = None
    share: int = 0


@dataclass(frozen=True)
class Rollout:
    """The traffic of a use case from ``at`` on; ``epoch`` grows by one with each change.

    ``step_since`` is when the step began that this change left as it was.
    """

    use_case: str
    epoch: int
    traffic: Traffic
    step_since: datetime
    at: datetime
    actor: str
    reason: str
    evidence: Json
    request_id: UUID | None

    @property
    def key(self) -> str:
        """What tells this change from all others: a store that was made anew gives its epochs again."""
        return f"epoch {self.epoch} of {self.at.isoformat()}"


@dataclass(frozen=True)
class Approval:
    """A person's yes to the challenger of an epoch."""

    use_case: str
    epoch: int
    model: ModelRef
    actor: str
    reason: str
    at: datetime
