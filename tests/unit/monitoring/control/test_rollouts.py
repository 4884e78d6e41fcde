from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from monitoring.control import (
    ControlStore,
    NoSuchRequestError,
    Policy,
    StateConflictError,
    Traffic,
    UnusableRecordError,
)
from tests.cases.control_stores import SetClock, ask, model, request

FIRST = Traffic(Policy.DIRECT, model("1"))
CANARY = Traffic(Policy.CANARY, model("1"), model("2"), 10)


def test_before_the_first_change_there_is_nothing(store: ControlStore) -> None:
    assert store.rollouts.current("churn") is None
    assert store.rollouts.history("churn") == []


def test_each_change_is_an_epoch_and_all_are_kept(store: ControlStore, clock: SetClock) -> None:
    asked = request(store.requests.ask(ask()))
    first = store.rollouts.change("churn", 0, FIRST, actor="ann", reason="the first model")
    clock.jump(timedelta(hours=1))
    evidence = {"requests": 4_000, "p95_ms": 12.5}
    second = store.rollouts.change(
        "churn", 1, CANARY, actor="rollout_churn", reason="gated", evidence=evidence, request_id=asked.id
    )
    assert (second.epoch, second.at, second.step_since, second.traffic) == (2, clock.now, clock.now, CANARY)
    assert (second.evidence, second.request_id) == (evidence, asked.id)
    assert store.rollouts.current("churn") == second
    assert store.rollouts.history("churn") == [second, first]
    assert store.rollouts.history("churn", limit=1) == [second]
    assert store.rollouts.current("fraud") is None


def test_a_step_begins_with_its_share_or_its_models(store: ControlStore, clock: SetClock) -> None:
    begun = clock.now
    store.rollouts.change("churn", 0, CANARY, actor="ann", reason="10 %")
    clock.jump(timedelta(hours=1))
    assert store.rollouts.change("churn", 1, CANARY, actor="ann", reason="looked at it").step_since == begun
    wider = replace(CANARY, share=50)
    assert store.rollouts.change("churn", 2, wider, actor="ann", reason="50 %").step_since == clock.now


@pytest.mark.parametrize("epoch", [0, 2])
def test_who_read_another_epoch_changes_nothing(store: ControlStore, epoch: int) -> None:
    store.rollouts.change("churn", 0, FIRST, actor="ann", reason="first")
    with pytest.raises(StateConflictError, match=f"is at epoch 1, expected was {epoch}: read it again"):
        store.rollouts.change("churn", epoch, CANARY, actor="bob", reason="second")
    assert [change.actor for change in store.rollouts.history("churn")] == ["ann"]


@pytest.mark.parametrize(
    ("traffic", "message"),
    [
        (replace(CANARY, share=101), "a share of 101: give per cent, 0 to 100"),
        (replace(CANARY, share=-1), "a share of -1: give per cent, 0 to 100"),
        (replace(FIRST, share=10), "a share of 10 goes to no challenger"),
    ],
)
def test_a_share_has_somebody_to_go_to(store: ControlStore, traffic: Traffic, message: str) -> None:
    with pytest.raises(UnusableRecordError, match=message):
        store.rollouts.change("churn", 0, traffic, actor="ann", reason="first")
    assert store.rollouts.current("churn") is None


def test_a_request_that_is_not_there_is_no_cause(store: ControlStore) -> None:
    with pytest.raises(NoSuchRequestError):
        store.rollouts.change("churn", 0, FIRST, actor="ann", reason="first", request_id=UUID(int=7))
    assert store.rollouts.current("churn") is None


def test_persons_approve_the_challenger_of_an_epoch(store: ControlStore, clock: SetClock) -> None:
    store.rollouts.change("churn", 0, replace(CANARY, policy=Policy.MANUAL, share=0), actor="gate", reason="gated")
    first = store.rollouts.approve("churn", 1, actor="ann", reason="read its card")
    clock.jump(timedelta(hours=1))
    second = store.rollouts.approve("churn", 1, actor="bob", reason="so did I")
    assert store.rollouts.approve("churn", 1, actor="ann", reason="once more") == first
    assert store.rollouts.approvals("churn", 1) == [first, second]
    assert (first.model, first.reason) == (model("2"), "read its card")


def test_an_approval_is_of_what_was_seen(store: ControlStore) -> None:
    store.rollouts.change("churn", 0, CANARY, actor="gate", reason="gated")
    store.rollouts.approve("churn", 1, actor="ann", reason="fine")
    store.rollouts.change("churn", 1, replace(CANARY, challenger=model("3")), actor="gate", reason="another")
    with pytest.raises(StateConflictError, match="is at epoch 2, expected was 1"):
        store.rollouts.approve("churn", 1, actor="bob", reason="fine")
    assert store.rollouts.approvals("churn", 2) == []


def test_there_is_nothing_to_approve_without_a_challenger(store: ControlStore) -> None:
    with pytest.raises(StateConflictError, match="has no challenger to approve"):
        store.rollouts.approve("churn", 0, actor="ann", reason="fine")
    store.rollouts.change("churn", 0, FIRST, actor="ann", reason="first")
    with pytest.raises(StateConflictError, match="has no challenger to approve"):
        store.rollouts.approve("churn", 1, actor="ann", reason="fine")
