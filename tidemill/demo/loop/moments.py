"""What happened, as the lines of a timeline: from the rows that the loop itself goes by."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import zip_longest
from typing import Any

from monitoring.control import RetrainRequest, Rollout, State, Transition
from monitoring.rollout import proving
from monitoring.rollout.running import ENDED, End

NAMED = 4


class Kind(StrEnum):
    PLANTED = "planted"
    QUIET_LOOK = "look"
    DRIFT = "drift"
    REQUESTED = "requested"
    CLAIMED = "claimed"
    TRAINED = "trained"
    PASSED = "passed"
    REFUSED = "refused"
    BEGUN = "begun"
    STEP = "step"
    PROMOTED = "promoted"
    TAKEN_BACK = "taken back"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True)
class Moment:
    """``key`` tells it from all others; ``detail`` is what a report says beside the line."""

    at: datetime
    kind: Kind
    text: str
    key: str


@dataclass(frozen=True)
class Drifted:
    """A finding of a look: what of a feature (or of all together, without one) is how far beyond its limit."""

    feature: str | None
    statistic: str
    effect: float
    limit: float

    def __str__(self) -> str:
        return f"{self.feature or 'features together'} ({self.statistic} {self.effect:.3f}, limit {self.limit:.3f})"


@dataclass(frozen=True)
class Seen:
    """A look on record."""

    look_id: str
    at: datetime
    judged: int
    drifted: Sequence[Drifted]


def of_look(look: Seen) -> Moment:
    """A look that found drift, or one that did not."""
    if not look.drifted:
        text = f"look: {look.judged:,} answers judged, nothing has drifted"
        return Moment(look.at, Kind.QUIET_LOOK, text, f"look {look.look_id}")
    ordered = sorted(look.drifted, key=lambda found: -found.effect / found.limit)
    more = f" and {len(ordered) - NAMED} more" if len(ordered) > NAMED else ""
    text = f"drift found in {look.judged:,} answers: {', '.join(map(str, ordered[:NAMED]))}{more}"
    return Moment(look.at, Kind.DRIFT, text, f"look {look.look_id}")


def of_request(request: RetrainRequest, trail: Sequence[Transition]) -> Iterator[Moment]:
    """What a request went through; its rollout is told by :func:`of_changes`."""
    for entry in trail:
        told = _of_transition(request, entry)
        if told is not None:
            yield Moment(entry.at, *told, f"request {request.id} {entry.ordinal}")


def _of_transition(request: RetrainRequest, entry: Transition) -> tuple[Kind, str] | None:
    detail, told = entry.detail, None
    if entry.from_state is entry.to_state:
        return told
    match entry.to_state:
        case State.REQUESTED if entry.from_state is None:
            told = Kind.REQUESTED, f"a new model is requested, by {entry.actor}: {request.reason}"
        case State.CLAIMED:
            told = Kind.CLAIMED, f"claimed by {entry.actor}"
        case State.TRAINED:
            told = Kind.TRAINED, f"trained: run {detail.get('run_id')}"
        case State.GATED:
            told = (Kind.PASSED if detail.get("passed") else Kind.REFUSED), _gated(detail)
        case State.REJECTED | State.FAILED | State.EXPIRED:
            why = detail.get("error") or "; ".join(detail.get("reasons", ())) or detail.get("cancelled", "")
            told = Kind.FAILED, f"the request is {entry.to_state}: {why}"
    return told


def _gated(detail: Mapping[str, Any]) -> str:
    verdict = "the gates let it through" if detail.get("passed") else "the gates say no"
    return "\n".join((verdict, *detail.get("checks", ())))


def of_changes(history: Sequence[Rollout]) -> Iterator[Moment]:
    """What the traffic of a use case went through; ``history`` is the newest first."""
    for change, before in reversed(list(zip_longest(history, history[1:]))):
        told = _of_change(change, before)
        if told is not None:
            yield Moment(change.at, *told, change.key)


def _of_change(change: Rollout, before: Rollout | None) -> tuple[Kind, str] | None:
    evidence, traffic = change.evidence, change.traffic
    if evidence.get(ENDED) in set(End):
        return _of_end(End(evidence[ENDED]), str(evidence["challenger"]["version"]), change)
    if traffic.challenger is None:
        return None
    version, share = traffic.challenger.version, f"{traffic.share} % of the customers"
    if before is not None and before.traffic.challenger == traffic.challenger:
        return Kind.STEP, f"{traffic.policy}: version {version} answers {share}; {change.reason}"
    text = f"{traffic.policy} begins: version {version} answers {share}; {proving.told(dict(evidence))}"
    return Kind.BEGUN, text


def _of_end(end: End, version: str, change: Rollout) -> tuple[Kind, str]:
    match end:
        case End.PROMOTED:
            return Kind.PROMOTED, f"version {version} is the champion: {change.reason}"
        case End.ROLLED_BACK:
            guards = ", ".join(str(guard["guard"]) for guard in change.evidence.get("guards", ()))
            return Kind.TAKEN_BACK, f"version {version} is taken back by the guard {guards or 'none'}: {change.reason}"
    return Kind.STOPPED, f"the rollout of version {version} is stopped: {change.reason}"
