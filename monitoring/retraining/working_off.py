"""One stage of a request, or all that are left, and what becomes of a failure."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from monitoring.control import (
    ControlStoreRefusedError,
    Lease,
    LeaseLostError,
    RetrainRequest,
    State,
    StateConflictError,
    Transition,
)
from monitoring.retraining import stages
from monitoring.retraining.errors import GivenUpError, NotAtStageError, WrongUseCaseError
from monitoring.retraining.lease import HeldLease, held
from monitoring.retraining.order import is_past
from monitoring.retraining.work import Stage, Work
from tidemill.config.errors import TidemillError, TransientError
from tidemill.config.interruption import interruption

STAGES: Mapping[str, tuple[State, Stage]] = {
    "train": (State.CLAIMED, stages.train),
    "evaluate": (State.TRAINED, stages.evaluate),
    "gate": (State.TRAINED, stages.gate),
    "promote": (State.GATED, stages.promote),
}
"""By name, in order: the state that a request is in when the stage is due, and what it does."""
GIVE_UP_AFTER = 20
TAKEN_OVER = "taken_over_from"
"""What the control store notes when a holder was not heard of any more."""
FAILED_FOR_NOW = "failed_for_now"
"""What a holder leaves in the trail that keeps its lease while a service is away: it was not lost."""
INTERRUPTED = "interrupted"
"""What it leaves when it was told to end. A request that never ends within its time limit counts as one that takes its
worker down with it."""
NOT_THE_REQUESTS = (LeaseLostError, StateConflictError, NotAtStageError, ControlStoreRefusedError)
"""What says nothing against the request: another has it, or it cannot be written to."""


def work_off(work: Work, lease: Lease) -> RetrainRequest:
    """Does every stage that is left; the request afterwards, finished or in the hands of a rollout.

    A failure that is terminal finishes it as failed; after any other it is free for the next claim.

    Raises:
        LeaseLostError: another took it, or it was cancelled.
        TransientError: a service was away.
    """
    _of_use_case(work, lease)
    with held(work.store, lease, lease_duration(work)) as keeper:
        try:
            for name in STAGES:
                _stage(work, lease, keeper, name)
        except NOT_THE_REQUESTS:
            raise
        except BaseException as error:
            if _may_pass(error):
                keeper.give_back(_sentence(error))
            raise
    return work.store.requests.get(lease.request_id)


def do_stage(work: Work, lease: Lease, name: str) -> RetrainRequest:
    """Does one stage, if it is not done; after a failure that is not terminal, which the request is told, the lease is
    kept for another try.

    Raises:
        NotAtStageError: an earlier stage is not done.
        WrongUseCaseError: the request is of another use case.
        LeaseLostError, TransientError: as :func:`work_off`.
    """
    due, _ = STAGES[name]
    request = _of_use_case(work, lease)
    if is_past(request, due):
        return request
    with held(work.store, lease, lease_duration(work)) as keeper:
        try:
            return _stage(work, lease, keeper, name)
        except BaseException as error:
            if _may_pass(error):
                said = FAILED_FOR_NOW if isinstance(error, TransientError) else INTERRUPTED
                keeper.note({"stage": name, said: _sentence(error)})
            raise


def _of_use_case(work: Work, lease: Lease) -> RetrainRequest:
    request = work.store.requests.get(lease.request_id)
    if request.use_case != work.use_case.name:
        raise WrongUseCaseError(f"request {request.id} is of use case {request.use_case}, not {work.use_case.name}")
    return request


def lease_duration(work: Work) -> timedelta:
    return timedelta(seconds=work.settings.control.lease_s)


def _stage(work: Work, lease: Lease, keeper: HeldLease, name: str) -> RetrainRequest:
    due, stage = STAGES[name]
    request = work.store.requests.get(lease.request_id)
    if is_past(request, due):
        return request
    try:
        _give_up_if_lost_too_often(work, request)
        return stage(work, request, keeper)
    except NOT_THE_REQUESTS:
        raise
    except Exception as error:
        if _may_pass(error):
            raise
        detail = {"stage": name, "error": _sentence(error)}
        now = work.store.requests.get(lease.request_id).state
        keeper.advance(now, State.FAILED, detail)
        raise


def _may_pass(error: BaseException) -> bool:
    """Whether it says nothing against the request: a service is away, or this process was told to end."""
    return isinstance(error, TransientError) or interruption(error) is not None


def _give_up_if_lost_too_often(work: Work, request: RetrainRequest) -> None:
    """A request that takes its worker down with it (out of memory, say) would do so for ever.

    Raises:
        GivenUpError: so many workers were lost or told to end since the request came to its state.
    """
    lost, explained = 0, set()
    for transition in _since_its_state(work, request):
        if FAILED_FOR_NOW in transition.detail:
            explained.add(transition.token)
        elif TAKEN_OVER in transition.detail and transition.token is not None:
            lost += transition.token - 1 not in explained
    if lost >= GIVE_UP_AFTER:
        raise GivenUpError(
            f"{lost} workers were lost while the request was {request.state}, or told to end: see its trail, their "
            "logs, the machine's memory and the time limit of the task, then ask again"
        )


def _since_its_state(work: Work, request: RetrainRequest) -> Sequence[Transition]:
    """The request's trail since it came to its state, oldest first; a claim that was lost is no other state."""
    trail = work.store.requests.trail(request.id)
    for place, transition in reversed([*enumerate(trail)]):
        if transition.to_state is request.state and transition.from_state not in {request.state, State.REQUESTED}:
            return trail[place:]
    return trail


def _sentence(error: BaseException) -> str:
    """What the request is told of a failure; a library's own exception needs its type to be understood."""
    text = str(error)[:5_000]
    interrupted = interruption(error)
    if interrupted is not None:
        return f"ended by {interrupted.signal.name}"
    return text if isinstance(error, TidemillError) else f"{type(error).__name__}: {text}"
