"""Several threads at once; processes are in the integration tests."""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from monitoring.control import ControlStore, LeaseLostError, State, StateConflictError, Suppressed
from monitoring.control.records import RetrainRequest
from tests.cases.control_stores import HOUR, NO_LIMITS, ask, model, request
from tests.unit.monitoring.control.test_rollouts import CANARY

WIDTH = 8


def at_once(act: Callable[[int], Any], width: int = WIDTH) -> Sequence[Any]:
    """What each of so many threads got, which all began together; an error of ours is an outcome."""
    barrier = threading.Barrier(width)

    def run(number: int) -> Any:
        barrier.wait()
        try:
            return act(number)
        except (StateConflictError, LeaseLostError) as error:
            return error

    with ThreadPoolExecutor(width) as pool:
        return list(pool.map(run, range(width)))


def test_eight_claimers_get_a_hundred_requests_once_each(store: ControlStore) -> None:
    made = [request(store.requests.ask(ask(key=str(key)), NO_LIMITS)).id for key in range(100)]

    def claim_all(number: int) -> list[tuple[UUID, str]]:
        claimed = []
        while (held := store.requests.claim(f"worker-{number}", HOUR)) is not None:
            claimed.append((held.id, f"worker-{number}"))
        return claimed

    claims = [claim for claimed in at_once(claim_all) for claim in claimed]
    assert len(claims) == len(made)
    assert dict(claims) == {held.id: held.holder for held in store.requests.newest()}
    assert {held.token for held in store.requests.newest()} == {1}


def test_a_hundred_reports_at_once_are_one_request(store: ControlStore) -> None:
    asked = at_once(lambda _: store.requests.ask(ask()), 100)
    assert sorted(request(made).asked for made in asked) == list(range(1, 101))
    (made,) = store.requests.newest()
    assert (made.asked, made.state) == (100, State.REQUESTED)
    assert len(store.requests.trail(made.id)) == 1


def test_a_budget_is_kept_by_those_who_ask_at_once(store: ControlStore) -> None:
    limits = replace(NO_LIMITS, per_day=3)
    outcomes = at_once(lambda number: store.requests.ask(ask(key=str(number)), limits))
    assert Counter(map(type, outcomes)) == {RetrainRequest: 3, Suppressed: WIDTH - 3}
    assert len(store.requests.newest()) == 3
    assert len(store.requests.suppressed()) == WIDTH - 3


def test_of_automatic_sources_that_ask_at_once_one_gets_a_request(store: ControlStore) -> None:
    outcomes = at_once(lambda number: store.requests.ask(ask(key=str(number)), replace(NO_LIMITS, at_once=1)))
    assert Counter(map(type, outcomes)) == {RetrainRequest: 1, Suppressed: WIDTH - 1}
    assert {refused.why for refused in store.requests.suppressed()} == {"open"}


@pytest.mark.parametrize("is_same", [True, False], ids=["same", "different"])
def test_of_those_who_move_a_request_at_once_one_does(store: ControlStore, is_same: bool) -> None:
    store.requests.ask(ask())
    held = request(store.requests.claim("worker", HOUR))
    outcomes = at_once(
        lambda number: store.requests.advance(
            held.lease, State.CLAIMED, State.TRAINED, {"run": 0 if is_same else number}
        )
    )
    done = [outcome for outcome in outcomes if isinstance(outcome, RetrainRequest)]
    assert len(done) == (WIDTH if is_same else 1)
    assert len({str(outcome.progress) for outcome in done}) == 1
    assert all(isinstance(outcome, StateConflictError) for outcome in outcomes if outcome not in done)
    assert len(store.requests.trail(held.id)) == 3


def test_a_cancel_and_a_promotion_at_once_are_one_end(store: ControlStore) -> None:
    for _ in range(10):
        store.requests.ask(ask(), NO_LIMITS)
        held = request(store.requests.claim("worker", HOUR))
        for before, after in ((State.CLAIMED, State.TRAINED), (State.TRAINED, State.GATED)):
            store.requests.advance(held.lease, before, after)

        def end(number: int, held: RetrainRequest = held) -> RetrainRequest:
            if number == 0:
                return store.requests.cancel(held.id, "ann", "no")
            return store.requests.advance(held.lease, State.GATED, State.PROMOTED)

        outcomes = at_once(end, 2)
        ended = [outcome for outcome in outcomes if isinstance(outcome, RetrainRequest)]
        assert [outcome.state for outcome in ended] == [store.requests.get(held.id).state]
        assert sum(entry.to_state.is_finished for entry in store.requests.trail(held.id)) == 1


def test_of_those_who_change_the_traffic_at_once_one_does(store: ControlStore) -> None:
    for epoch in range(5):
        outcomes = at_once(
            lambda number, epoch=epoch: store.rollouts.change(
                "churn", epoch, CANARY, actor=f"rollout-{number}", reason="next step"
            )
        )
        assert sum(isinstance(outcome, StateConflictError) for outcome in outcomes) == WIDTH - 1
    assert [change.epoch for change in store.rollouts.history("churn")] == [5, 4, 3, 2, 1]


def test_an_approval_and_a_change_at_once_agree_on_the_challenger(store: ControlStore) -> None:
    store.rollouts.change("churn", 0, CANARY, actor="gate", reason="gated")
    other = replace(CANARY, challenger=model("3"))

    def act(number: int) -> object:
        if number == 0:
            return store.rollouts.change("churn", 1, other, actor="gate", reason="another")
        return store.rollouts.approve("churn", 1, actor=f"person-{number}", reason="fine")

    at_once(act)
    assert {approval.model for approval in store.rollouts.approvals("churn", 1)} <= {model("2")}
    assert store.rollouts.approvals("churn", 2) == []
