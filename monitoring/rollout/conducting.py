"""One step of a use case's rollout: read where it is and what it has shown, decide, and write what comes next.

All that is known is in the control store, the registry and the log. So a step may be done by anybody at any time, by
two at once, or by one who comes after another was killed: what was done is found, and what was not is done.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ml_modeling.registry import CHAMPION, MlflowMissingError
from ml_modeling.registry.audit import AuditRecord
from ml_modeling.registry.promotion import OnRollout, promote
from ml_modeling.registry.versions import GateNotPassedError, Version, behind_alias, get_version
from monitoring.control import (
    ControlStoreRefusedError,
    Policy,
    RetrainRequest,
    Rollout,
    State,
    StateConflictError,
)
from monitoring.rollout import proving
from monitoring.rollout.deciding import Action, Decision, Standing, decide
from monitoring.rollout.ending import end, finish_request, follow_registry, settle
from monitoring.rollout.errors import (
    IsChampionError,
    NoRolloutError,
    NotToBeApprovedError,
    StoppedMeanwhileError,
)
from monitoring.rollout.figures import Figures
from monitoring.rollout.measuring import measure
from monitoring.rollout.plan import plan_of
from monitoring.rollout.running import End, Running, last_over, running
from monitoring.rollout.starting import begin
from monitoring.rollout.work import Place, Work, is_of
from tidemill.config.errors import TerminalError

TRIES = 5
"""A step that another overtook decides anew, so many times at most: each time the other got further."""


@dataclass(frozen=True)
class Taken:
    """What a step did: ``action`` None where nothing is being rolled out. ``rollout`` is the traffic afterwards."""

    action: Action | None
    why: str
    rollout: Rollout | None = None


NOTHING = Taken(None, "nothing is being rolled out")


def step(work: Work) -> Taken:
    """Does what is next: of the rollout that runs, else of the oldest request that waits for one.

    Raises:
        StateConflictError: others changed the traffic again and again.
        MlflowUnavailableError, ControlStoreAwayError: try again; what was done is found.
    """
    for _ in range(TRIES - 1):
        try:
            return _step(work)
        except (StateConflictError, StoppedMeanwhileError):
            continue
    return _step(work)


def approve(work: Work, version: str | None, reason: str) -> Taken:
    """A person's yes to the challenger that waits for one, and the step that follows from it.

    Raises:
        NoRolloutError: nothing is being rolled out.
        NotToBeApprovedError: it is another version, or waits for no approval.
    """
    place = work.place
    rollout = running(place.store, place.name)
    if rollout is None:
        raise NoRolloutError(f"nothing of {place.name!r} is being rolled out: there is nothing to approve")
    if version is not None and version != rollout.challenger.version:
        raise NotToBeApprovedError(
            f"version {rollout.challenger.version} of {place.name!r} is being rolled out, not version {version}"
        )
    policy = rollout.now.traffic.policy
    if policy is not Policy.MANUAL:
        raise NotToBeApprovedError(f"the policy of this rollout is {policy}: it waits for no approval")
    place.store.rollouts.approve(place.name, rollout.now.epoch, actor=place.who, reason=reason)
    return step(work)


def _step(work: Work) -> Taken:
    place = work.place
    rollout = running(place.store, place.name)
    if rollout is None:
        over = last_over(place.store, place.name)
        if over is not None:
            settle(place, over)
        follow_registry(place, "the champion was changed without a rollout")
        rollout = _next_requested(work)
    return NOTHING if rollout is None else _go_on(work, rollout)


def _go_on(work: Work, rollout: Running) -> Taken:
    if cancelled := _cancelled(work, rollout):
        return _take_back(work, rollout, End.STOPPED, Decision(Action.ROLL_BACK, cancelled), Figures())
    figures = measure(work, rollout)
    place, traffic = work.place, rollout.now.traffic
    approvals = place.store.rollouts.approvals(place.name, rollout.now.epoch)
    plan = plan_of(work.spec, traffic.policy)
    standing = Standing(plan, traffic, rollout.now.step_since, rollout.began.at, approvals)
    decision = decide(work.spec, standing, figures, place.store.now())
    if decision.action is not Action.ROLL_BACK and (changed_by_hand := _other_champion(work, rollout)):
        return _take_back(work, rollout, End.STOPPED, Decision(Action.ROLL_BACK, changed_by_hand), figures)
    match decision.action, decision.traffic:
        case Action.PROMOTE, _:
            return _promote(work, rollout, decision, figures)
        case Action.ROLL_BACK, _:
            return _take_back(work, rollout, End.ROLLED_BACK, decision, figures)
        case Action.STEP, following if following is not None:
            changed = place.store.rollouts.change(
                place.name,
                rollout.now.epoch,
                following,
                actor=place.who,
                reason=decision.why,
                evidence={"figures": figures.document},
                request_id=rollout.now.request_id,
            )
            return Taken(Action.STEP, decision.why, changed)
    return Taken(Action.WAIT, decision.why, rollout.now)


def _cancelled(work: Work, rollout: Running) -> str:
    """Why the request of the rollout ended without it, if it did."""
    if rollout.now.request_id is None:
        return ""
    request = work.place.store.requests.get(rollout.now.request_id)
    if not request.state.is_finished:
        return ""
    last = work.place.store.requests.trail(request.id)[-1]
    said = last.detail.get("cancelled", "")
    return f"its request is {request.state}, by {last.actor}{f': {said}' if said else ''}"


def _other_champion(work: Work, rollout: Running) -> str:
    """Why the figures are beside the point, if they are: they compare with a champion that is none any more."""
    champion = behind_alias(work.place.settings, work.place.name, CHAMPION)
    traffic = rollout.now.traffic
    if champion is None and traffic.champion is None:
        return ""
    if is_of(champion, traffic.champion) or is_of(champion, traffic.challenger):
        return ""
    now, before = (found.version if found else "none" for found in (champion, traffic.champion))
    return f"the champion is version {now} now and not {before}, with which the challenger was compared"


def _take_back(work: Work, rollout: Running, kind: End, decision: Decision, figures: Figures) -> Taken:
    guards = [{"guard": breach.guard, "sentence": breach.sentence, **breach.figures} for breach in decision.breaches]
    over = end(work.place, rollout, kind, decision.why, {"guards": guards, "figures": figures.document})
    settle(work.place, over)
    return Taken(Action.ROLL_BACK, decision.why, over.end)


def _promote(work: Work, rollout: Running, decision: Decision, figures: Figures) -> Taken:
    try:
        record = _promoted(work, rollout, decision, figures)
    except (GateNotPassedError, MlflowMissingError) as error:
        refused = Decision(Action.ROLL_BACK, f"it cannot be promoted: {error}")
        return _take_back(work, rollout, End.ROLLED_BACK, refused, figures)
    found = {"audit": record.id, "before": record.from_version, "figures": figures.document}
    over = end(work.place, rollout, End.PROMOTED, decision.why, found)
    settle(work.place, over)
    return Taken(Action.PROMOTE, decision.why, over.end)


def _promoted(work: Work, rollout: Running, decision: Decision, figures: Figures) -> AuditRecord:
    """The audit record of the promotion; the store is asked right before the alias moves whether it may go on."""
    place, number = work.place, rollout.challenger.version
    version = get_version(place.settings, place.name, number)
    if not is_of(version, rollout.challenger):
        raise GateNotPassedError(f"version {number} of {place.name!r} is another model now ({version.identity})")

    def check() -> None:
        now = place.store.rollouts.current(place.name)
        if now is None or now.epoch != rollout.now.epoch:
            raise StoppedMeanwhileError(f"the traffic of {place.name!r} was changed: the promotion is left")
        if cancelled := _cancelled(work, rollout):
            raise StoppedMeanwhileError(f"the promotion is left: {cancelled}")

    request_id = rollout.now.request_id
    ends = OnRollout(
        rollout.began.key,
        _evidence(rollout, figures),
        check,
        "" if request_id is None else str(request_id),
        rollout.is_override,
    )
    reason = f"{rollout.began.reason}; {decision.why}"
    return promote(place.settings, place.name, number, reason, place.who, ends)


def _evidence(rollout: Running, figures: Figures) -> str:
    challenger, epochs = figures.challenger, rollout.epochs
    return (
        f"{rollout.now.traffic.policy}, epochs {epochs[-1]} to {epochs[0]}; in the last step {challenger.answers:,} "
        f"answers of the challenger, {challenger.failed:,} failed; {proving.told(dict(rollout.began.evidence))}"
    )


def _next_requested(work: Work) -> Running | None:
    """The rollout of the oldest request that waits for one; those that can never begin are finished with the reason."""
    store, name = work.place.store, work.place.name
    waiting = [request for request in store.requests.newest(name, is_open=True) if request.state is State.CANARY]
    for request in reversed(waiting):
        over = last_over(store, name, request.id)
        if over is not None:
            settle(work.place, over)
            continue
        if _begun(work, request):
            return running(store, name)
    return None


def _version_of(place: Place, note: Mapping[str, Any]) -> Version:
    """The version that a request was handed over with: that model, not another one under its number."""
    version = get_version(place.settings, place.name, str(note.get("version", "")))
    if version.run_id != note.get("run_id"):
        raise GateNotPassedError(f"version {version.version} of {place.name!r} is another model now")
    return version


def _begun(work: Work, request: RetrainRequest) -> bool:
    note = request.progress.get(State.CANARY.value, {})
    place, reason = work.place, f"request {request.id}, {request.source}: {request.reason}"
    try:
        version = _version_of(place, note)
        begin(work, version, reason, request=request)
    except IsChampionError as error:
        finish_request(place, request.id, State.PROMOTED, {**note, "reasons": [str(error)]})
    except GateNotPassedError as error:
        finish_request(place, request.id, State.REJECTED, {**note, "reasons": [str(error)]})
    except (StateConflictError, ControlStoreRefusedError):
        raise  # the store's, and nothing against the request
    except TerminalError as error:
        failed: Mapping[str, Any] = {**note, "stage": "rollout", "error": str(error)}
        finish_request(place, request.id, State.FAILED, failed)
    else:
        return True
    return False
