from dataclasses import replace

import pytest

from monitoring.control import ControlStore, State
from monitoring.retraining.errors import NotAtStageError
from monitoring.retraining.order import ORDER, TO_WORK_OFF, is_past
from tests.cases.control_stores import HOUR, NO_LIMITS, ask, request


@pytest.mark.parametrize("due", ORDER)
@pytest.mark.parametrize("state", State)
def test_a_stage_is_due_in_its_state_done_after_it_and_refused_before(
    store: ControlStore, state: State, due: State
) -> None:
    way = ["requested", "claimed", "trained", "gated", "canary"]
    asked = replace(request(store.requests.ask(ask())), state=state)
    if state.value in way and way.index(state) < way.index(due):
        with pytest.raises(NotAtStageError, match=f"is {state}, and this is done when it is {due}"):
            is_past(asked, due)
    else:
        assert is_past(asked, due) is (state is not due)


def test_what_is_in_a_rollout_is_not_claimed_for_training(store: ControlStore) -> None:
    asked = request(store.requests.ask(ask()))
    lease = request(store.requests.claim("worker", HOUR, states=TO_WORK_OFF)).lease
    store.requests.advance(lease, State.CLAIMED, State.TRAINED)
    store.requests.advance(lease, State.TRAINED, State.GATED)
    store.requests.advance(lease, State.GATED, State.CANARY)
    store.requests.give_back(lease, "handed to its rollout")
    assert store.requests.waiting("churn", TO_WORK_OFF) is None
    assert store.requests.claim("worker", HOUR, states=TO_WORK_OFF) is None
    assert request(store.requests.claim("rollout", HOUR, states=[State.CANARY])).id == asked.id


def test_a_request_is_claimed_by_its_id_and_the_oldest_waits(store: ControlStore) -> None:
    oldest, named = (request(store.requests.ask(ask(key=key), NO_LIMITS)) for key in ("drift", "schedule"))
    assert request(store.requests.claim("worker", HOUR, request_id=named.id)).id == named.id
    assert store.requests.claim("another", HOUR, request_id=named.id) is None
    assert request(store.requests.waiting("churn")).id == oldest.id
    assert store.requests.waiting("fraud") is None
