"""The end of a rollout: first the traffic, which servers follow, then what the registry and the request say of it.

Whoever is killed in between leaves a change that says how it ended, and ``settle`` does the rest from that alone.
"""

from dataclasses import asdict
from uuid import UUID

from ml_modeling.registry import CHAMPION, ModelIdentity, audit
from ml_modeling.registry.audit import AuditRecord
from ml_modeling.registry.promotion import NothingToRollBackError, dismiss, retire, rollback
from ml_modeling.registry.versions import behind_alias
from monitoring.control import (
    LeaseLostError,
    ModelRef,
    RetrainRequest,
    Rollout,
    State,
    StateConflictError,
    Traffic,
)
from monitoring.control.records import Json
from monitoring.rollout.running import ENDED, End, Over, Running, running
from monitoring.rollout.work import Place, is_of, model_ref

REQUEST_ENDS = {End.PROMOTED: State.PROMOTED, End.ROLLED_BACK: State.REJECTED, End.STOPPED: State.REJECTED}


def end(place: Place, rollout: Running, kind: End, why: str, evidence: Json) -> Over:
    """Takes the challenger out of the traffic: as the champion of it, or altogether.

    Raises:
        StateConflictError: the traffic was changed since ``rollout`` was read.
    """
    before = rollout.now.traffic
    champion = rollout.challenger if kind is End.PROMOTED else before.champion
    document = {ENDED: kind.value, "challenger": asdict(rollout.challenger), "began": rollout.began.epoch, **evidence}
    change = place.store.rollouts.change(
        place.name,
        rollout.now.epoch,
        Traffic(before.policy, champion),
        actor=place.who,
        reason=why,
        evidence=document,
        request_id=rollout.now.request_id,
    )
    return Over(rollout, change)


def stop(place: Place, why: str) -> Over | None:
    """Ends the rollout that runs, whatever its state: from the next look of the servers on the champion answers all.

    None where none runs. The registry and the request are settled by the caller, or by the next step.
    """
    while (rollout := running(place.store, place.name)) is not None:
        try:
            return end(place, rollout, End.STOPPED, why, {})
        except StateConflictError:
            continue  # it went a step further meanwhile: that one is ended
    return None


def settle(place: Place, over: Over) -> AuditRecord | None:
    """Makes the registry and the request say what the traffic says; done again, it finds it done.

    The record is of a champion that had to be taken back, else None.
    """
    taken_back = None
    if over.kind is not End.PROMOTED:
        taken_back = _take_back(place, over)
        dismiss(place.settings, place.name, identity_of(over.rollout.challenger))
    if over.end.request_id is not None:
        finish_request(place, over.end.request_id, REQUEST_ENDS[over.kind], request_note(over))
    return taken_back


def _take_back(place: Place, over: Over) -> AuditRecord | None:
    """A challenger that this rollout had made champion when it was ended, and before that was written."""
    champion = behind_alias(place.settings, place.name, CHAMPION)
    if not is_of(champion, over.rollout.challenger):
        return None
    completed = [record for record in audit.trail(place.settings, place.name) if record.state == "completed"]
    if not completed or completed[-1].rollout != over.rollout.began.key:
        return None
    why = f"its rollout was ended: {over.end.reason}"
    try:
        return rollback(place.settings, place.name, why, place.who)
    except NothingToRollBackError:
        return retire(place.settings, place.name, why, place.who)


def identity_of(model: ModelRef) -> ModelIdentity:
    return ModelIdentity(run_id=model.run_id, model_id=model.model_id, digest=model.digest)


def request_note(over: Over) -> Json:
    """What a request keeps of its rollout: how it ended, the guards' figures, where all of it is."""
    challenger = over.rollout.challenger
    note = {
        "run_id": challenger.run_id,
        "version": challenger.version,
        "epochs": [over.rollout.began.epoch, over.end.epoch],
        "reasons": [over.end.reason],
    }
    return note | {key: over.end.evidence[key] for key in ("guards", "audit", "before") if key in over.end.evidence}


def finish_request(place: Place, request_id: UUID, to: State, note: Json) -> RetrainRequest:
    """The request of a rollout, finished; one that is, or that another finishes this moment, is left as it is."""
    requests = place.store.requests
    request = requests.get(request_id)
    if request.state is not State.CANARY:
        return request
    claimed = requests.claim(place.who, place.lease, place.name, request_id=request_id, states=(State.CANARY,))
    if claimed is None:
        return requests.get(request_id)
    try:
        return requests.advance(claimed.lease, State.CANARY, to, note)
    except LeaseLostError:  # a person cancelled it this moment
        return requests.get(request_id)


def follow_registry(place: Place, why: str) -> Rollout | None:
    """The traffic with the champion that the registry has, after it was changed without a rollout; else None."""
    current = place.store.rollouts.current(place.name)
    if current is None or current.traffic.challenger is not None:
        return None
    champion = behind_alias(place.settings, place.name, CHAMPION)
    if (None if champion is None else model_ref(champion)) == current.traffic.champion:
        return None
    traffic = Traffic(current.traffic.policy, None if champion is None else model_ref(champion))
    return place.store.rollouts.change(place.name, current.epoch, traffic, actor=place.who, reason=why)
