from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from uuid import UUID

import pytest

from monitoring.control import (
    ControlStore,
    Lease,
    LeaseLostError,
    NoSuchRequestError,
    RetrainRequest,
    Source,
    State,
    StateConflictError,
    UnusableRecordError,
)
from monitoring.control.states import NEXT
from tests.cases.control_stores import HOUR, NO_LIMITS, SetClock, ask, request

MINUTE = timedelta(minutes=1)
PATH = (State.CLAIMED, State.TRAINED, State.GATED, State.CANARY, State.PROMOTED)


def made(store: ControlStore, key: str = "drift") -> RetrainRequest:
    return request(store.requests.ask(ask(key=key), NO_LIMITS))


def claimed(store: ControlStore, holder: str = "worker-1", duration: timedelta = MINUTE) -> RetrainRequest:
    return request(store.requests.claim(holder, duration))


def moved_to(store: ControlStore, state: State) -> RetrainRequest:
    """A request that worker-1 holds, at ``state``."""
    made(store)
    held = claimed(store)
    for before, after in pairwise(PATH):
        if held.state is not state:
            held = store.requests.advance(held.lease, before, after, {"of": after})
    return held


def test_the_oldest_that_nobody_holds_is_claimed(store: ControlStore) -> None:
    keys = ["1", "2", "3"]
    for key in keys:
        made(store, key)
    assert [claimed(store).key for _ in keys] == keys
    assert store.requests.claim("worker-1", MINUTE) is None


def test_a_claim_may_name_the_use_case(store: ControlStore) -> None:
    made(store)
    store.requests.ask(ask(use_case="fraud"))
    assert request(store.requests.claim("worker-1", MINUTE, "fraud")).use_case == "fraud"
    assert store.requests.claim("worker-1", MINUTE, "fraud") is None


def test_from_a_request_to_a_promotion(store: ControlStore, clock: SetClock) -> None:
    made(store)
    held = claimed(store)
    assert (held.state, held.holder, held.lease_until) == (State.CLAIMED, "worker-1", clock.now + MINUTE)
    held = store.requests.advance(held.lease, State.CLAIMED, State.TRAINED, {"run_id": "4f", "model_id": "m-1"})
    held = store.requests.advance(held.lease, State.TRAINED, State.GATED, {"passed": True})
    held = store.requests.advance(held.lease, State.GATED, State.CANARY)
    clock.jump(HOUR)
    done = store.requests.advance(held.lease, State.CANARY, State.PROMOTED, {"version": "7"})
    assert (done.state, done.holder, done.finished_at) == (State.PROMOTED, None, clock.now)
    assert done == store.requests.get(done.id)
    assert done.progress == {
        "trained": {"run_id": "4f", "model_id": "m-1"},
        "gated": {"passed": True},
        "canary": {},
        "promoted": {"version": "7"},
    }
    trail = store.requests.trail(done.id)
    assert [(entry.from_state, entry.to_state) for entry in trail] == [
        (None, State.REQUESTED),
        (State.REQUESTED, State.CLAIMED),
        *pairwise(PATH),
    ]
    assert [entry.token for entry in trail] == [None, 1, 1, 1, 1, 1]
    assert [entry.ordinal for entry in trail] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("before", PATH[:-1])
@pytest.mark.parametrize("after", sorted(State))
def test_only_what_the_table_allows_is_done(store: ControlStore, before: State, after: State) -> None:
    held = moved_to(store, before)
    if after in NEXT[before] and after is not State.REQUESTED:
        assert store.requests.advance(held.lease, before, after).state is after
        return
    with pytest.raises(StateConflictError):
        store.requests.advance(held.lease, before, after)
    assert store.requests.get(held.id) == held


@pytest.mark.parametrize("end", [State.PROMOTED, State.REJECTED, State.FAILED])
def test_a_request_is_finished_once(store: ControlStore, end: State) -> None:
    held = moved_to(store, State.CANARY)
    done = store.requests.advance(held.lease, State.CANARY, end, {"by": "the guard"})
    for other in (State.PROMOTED, State.REJECTED, State.FAILED):
        with pytest.raises(LeaseLostError, match=f"is {end}: nobody moves it any more"):
            store.requests.advance(held.lease, State.CANARY, other)
    with pytest.raises(StateConflictError, match=f"is {end} since"):
        store.requests.cancel(held.id, "ann", "no")
    assert store.requests.claim("worker-2", MINUTE) is None
    assert store.requests.get(held.id) == done


def test_the_same_move_again_changes_nothing(store: ControlStore) -> None:
    held = moved_to(store, State.CANARY)
    done = store.requests.advance(held.lease, State.CANARY, State.PROMOTED, {"version": "7", "auc": 0.1 + 0.2})
    again = store.requests.advance(held.lease, State.CANARY, State.PROMOTED, {"version": "7", "auc": 0.1 + 0.2})
    assert again == done
    assert len(store.requests.trail(done.id)) == 6


def test_the_same_move_again_is_known_behind_a_persons_note(store: ControlStore) -> None:
    store.requests.ask(ask(source=Source.PERSON))
    held = claimed(store)
    done = store.requests.advance(held.lease, State.CLAIMED, State.TRAINED, {"run_id": "4f"})
    store.requests.ask(ask(source=Source.PERSON, actor="ann", reason="where is it?"))
    again = store.requests.advance(held.lease, State.CLAIMED, State.TRAINED, {"run_id": "4f"})
    assert (again.id, again.state, again.progress) == (done.id, done.state, done.progress)


@pytest.mark.parametrize("end", [State.REJECTED, State.EXPIRED, State.CLAIMED])
def test_who_held_it_once_ends_no_request_that_waits(store: ControlStore, end: State) -> None:
    made(store)
    held = claimed(store)
    free = store.requests.give_back(held.lease, "stopping")
    with pytest.raises(StateConflictError, match=f"no request that is requested is made {end} by who holds it"):
        store.requests.advance(held.lease, State.REQUESTED, end)
    assert store.requests.get(held.id) == free


def test_a_move_from_where_it_is_no_more_is_refused(store: ControlStore) -> None:
    held = moved_to(store, State.TRAINED)
    with pytest.raises(StateConflictError, match="is trained, expected was claimed"):
        store.requests.advance(held.lease, State.CLAIMED, State.FAILED)
    with pytest.raises(StateConflictError, match="is trained, expected was claimed"):
        store.requests.advance(held.lease, State.CLAIMED, State.TRAINED, {"of": "another"})


@pytest.mark.parametrize("stage", PATH[:-1])
def test_a_lease_that_ran_out_is_taken_over_at_its_stage(store: ControlStore, clock: SetClock, stage: State) -> None:
    before = moved_to(store, stage)
    clock.jump(MINUTE - timedelta(microseconds=1))
    assert store.requests.claim("worker-2", MINUTE) is None
    clock.jump(timedelta(microseconds=1))
    after = claimed(store, "worker-2")
    assert (after.id, after.state, after.progress) == (before.id, stage, before.progress)
    assert (after.holder, after.token) == ("worker-2", 2)
    last = store.requests.trail(after.id)[-1]
    assert (last.actor, last.to_state, last.detail) == ("worker-2", stage, {"taken_over_from": "worker-1"})
    for refused in (
        lambda: store.requests.advance(before.lease, stage, State.FAILED),
        lambda: store.requests.renew(before.lease, MINUTE),
        lambda: store.requests.give_back(before.lease, "tired"),
    ):
        with pytest.raises(LeaseLostError, match=r"token 1 is lost, worker-2 holds it \(token 2\)"):
            refused()
    assert store.requests.get(after.id) == after


def test_a_lease_goes_on_when_renewed(store: ControlStore, clock: SetClock) -> None:
    made(store)
    held = claimed(store)
    for _ in range(3):
        clock.jump(MINUTE / 2)
        held = store.requests.renew(held.lease, MINUTE)
    assert (held.lease_until, held.token) == (clock.now + MINUTE, 1)
    assert store.requests.claim("worker-2", MINUTE) is None
    assert len(store.requests.trail(held.id)) == 2


def test_a_lease_that_ran_out_is_renewed_while_nobody_took_it(store: ControlStore, clock: SetClock) -> None:
    made(store)
    held = claimed(store)
    clock.jump(HOUR)
    assert store.requests.renew(held.lease, MINUTE).lease_until == clock.now + MINUTE
    assert store.requests.claim("worker-2", MINUTE) is None


@pytest.mark.parametrize("stage", PATH[:-1])
def test_what_is_given_back_is_free(store: ControlStore, stage: State) -> None:
    held = moved_to(store, stage)
    free = store.requests.give_back(held.lease, "this machine is stopped")
    assert free.state is (State.REQUESTED if stage is State.CLAIMED else stage)
    assert (free.holder, free.lease_until, free.progress) == (None, None, held.progress)
    assert store.requests.trail(held.id)[-1].detail == {"given_back": "this machine is stopped"}
    with pytest.raises(LeaseLostError, match="nobody holds it"):
        store.requests.renew(held.lease, MINUTE)
    after = claimed(store, "worker-2")
    assert (after.id, after.state, after.token) == (held.id, stage, 2)


def test_a_token_that_was_never_given_moves_nothing(store: ControlStore) -> None:
    held = moved_to(store, State.TRAINED)
    with pytest.raises(LeaseLostError):
        store.requests.advance(Lease(held.id, 2), State.TRAINED, State.GATED)


@pytest.mark.parametrize("stage", PATH[:-1])
def test_a_cancelled_request_is_taken_from_who_holds_it(store: ControlStore, stage: State) -> None:
    held = moved_to(store, stage)
    gone = store.requests.cancel(held.id, "ann", "the data were wrong")
    assert (gone.state, gone.holder) == (State.REJECTED, None)
    last = store.requests.trail(held.id)[-1]
    assert (last.actor, last.token, last.detail) == ("ann", None, {"cancelled": "the data were wrong"})
    with pytest.raises(LeaseLostError, match="is rejected: nobody moves it"):
        store.requests.advance(held.lease, stage, State.REJECTED, {"cancelled": "the data were wrong"})


def test_a_word_in_the_trail_leaves_all_else_as_it_is(store: ControlStore) -> None:
    held = moved_to(store, State.TRAINED)
    told = store.requests.note(held.lease, {"failed_for_now": "MLflow does not answer"})
    assert told == replace(held, ordinal=held.ordinal + 1)
    last = store.requests.trail(held.id)[-1]
    assert (last.actor, last.from_state, last.to_state, last.token, last.detail) == (
        held.holder,
        State.TRAINED,
        State.TRAINED,
        held.token,
        {"failed_for_now": "MLflow does not answer"},
    )


def test_who_lost_the_lease_says_nothing_more(store: ControlStore, clock: SetClock) -> None:
    held = moved_to(store, State.TRAINED)
    clock.jump(HOUR)
    other = claimed(store)
    with pytest.raises(LeaseLostError):
        store.requests.note(held.lease, {"failed_for_now": "too late"})
    assert store.requests.get(held.id) == other


def test_only_what_nobody_took_expires(store: ControlStore, clock: SetClock) -> None:
    moved_to(store, State.CLAIMED)
    old = made(store, "old")
    clock.jump(HOUR)
    young = made(store, "young")
    assert [gone.id for gone in store.requests.expire(HOUR, "monitor_churn")] == [old.id]
    assert store.requests.get(old.id).state is State.EXPIRED
    assert store.requests.get(young.id) == young
    assert store.requests.expire(HOUR, "monitor_churn") == []
    clock.jump(HOUR)
    assert store.requests.expire(HOUR, "monitor_fraud", "fraud") == []
    assert [gone.id for gone in store.requests.expire(HOUR, "monitor_churn", "churn")] == [young.id]


def test_what_was_asked_for_again_or_given_back_does_not_expire(store: ControlStore, clock: SetClock) -> None:
    given_back = made(store, "given back")
    store.requests.give_back(claimed(store).lease, "a service is away")
    again = made(store, "again")
    clock.jump(HOUR)
    assert made(store, "again").id == again.id
    assert store.requests.expire(HOUR, "monitor_churn") == []
    clock.jump(HOUR)
    assert [gone.id for gone in store.requests.expire(HOUR, "monitor_churn")] == [again.id]
    assert store.requests.get(given_back.id).state is State.REQUESTED


def test_a_clock_set_back_a_little_takes_no_lease(store: ControlStore, clock: SetClock) -> None:
    made(store)
    claimed(store)
    clock.jump(-MINUTE)
    assert store.requests.claim("worker-2", MINUTE) is None


def test_a_lease_from_a_clock_far_ahead_does_not_hold_for_ever(store: ControlStore, clock: SetClock) -> None:
    made(store)
    clock.jump(timedelta(days=3650))
    held = claimed(store)
    clock.jump(timedelta(days=-3650))
    assert claimed(store, "worker-2").id == held.id


def test_a_clock_that_jumps_ahead_only_hands_over(store: ControlStore, clock: SetClock) -> None:
    held = moved_to(store, State.GATED)
    clock.jump(timedelta(days=3650))
    after = claimed(store, "worker-2")
    clock.jump(timedelta(days=-3650))
    done = store.requests.advance(after.lease, State.GATED, State.PROMOTED)
    with pytest.raises(LeaseLostError):
        store.requests.advance(held.lease, State.GATED, State.PROMOTED)
    trail = store.requests.trail(done.id)
    assert [entry.ordinal for entry in trail] == list(range(1, len(trail) + 1))
    assert [entry.to_state for entry in trail].count(State.PROMOTED) == 1


def test_an_unknown_request_is_named(store: ControlStore) -> None:
    nobody = UUID(int=7)
    for refused in (
        lambda: store.requests.get(nobody),
        lambda: store.requests.trail(nobody),
        lambda: store.requests.cancel(nobody, "ann", "no"),
        lambda: store.requests.renew(Lease(nobody, 1), MINUTE),
        lambda: store.requests.advance(Lease(nobody, 1), State.CLAIMED, State.TRAINED),
    ):
        with pytest.raises(NoSuchRequestError, match=f"there is no request {nobody}"):
            refused()


@pytest.mark.parametrize("duration", [timedelta(), -MINUTE])
def test_a_lease_lasts(store: ControlStore, duration: timedelta) -> None:
    made(store)
    with pytest.raises(UnusableRecordError, match="give a positive duration"):
        store.requests.claim("worker-1", duration)
    with pytest.raises(UnusableRecordError, match="give a positive duration"):
        store.requests.renew(claimed(store).lease, duration)
