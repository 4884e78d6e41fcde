"""Rollouts beside a server that is asked all the time: to the end, and taken back."""

from dataclasses import replace

import pytest

from monitoring.control import State
from tests.integration.loop import models
from tests.integration.loop.conftest import Seen
from tests.integration.loop.faults import FAULTS, Fault
from tests.integration.loop.live import CANARY, Live, models_by_turn

pytestmark = pytest.mark.loop


@pytest.mark.matrix
def test_a_model_comes_to_all_traffic_and_a_failing_one_is_taken_back_while_every_request_is_answered(
    live: Live, seen: Seen
) -> None:
    before = live.info()["version"]
    with live.load() as load:
        live.show(load)
        promoted = models.registered(live.backends.settings, models.good(0.3))
        first = live.hand_over(promoted)
        live.roll_out(load)
        taken_back = models.registered(live.backends.settings, models.failing(0.3))
        second = live.hand_over(taken_back)
        live.roll_out(load)

    good, bad = promoted.version.version, taken_back.version.version
    assert (load.failed(), load.troubles) == ([], [])
    assert {answer.version for answer in load.answers} - {bad} == {before, good}  # of the bad one's none may be whole
    assert (live.request_ends(first), live.request_ends(second)) == ([State.PROMOTED], [State.REJECTED])
    assert live.promotions()[-2:] == [("promote", before), ("promote", good)]
    end = live.now()
    assert [breach["guard"] for breach in end.evidence["guards"]] == ["error_rate"]

    said = live.logged(load)
    told = {answer.request_id: (answer.customer, answer.arm, answer.version) for answer in load.answers}
    assert len(said) == len(told) == len(load.answers)
    assert {row["request_id"]: (row["entity_id"], row["arm"], row["model_version"]) for row in said} == told
    of_it = [versions for versions in models_by_turn(said).values() if bad not in versions]
    assert all(versions in ([before], [good], [before, good]) for versions in of_it)
    seen(
        f"{len(said):,} answers, 0 failed, each logged once; "
        f"changes followed within {', '.join(f'{seconds:.1f}' for seconds in live.follow_s)} s; "
        f"{end.reason}"
    )


@pytest.mark.matrix
def test_a_slow_one_is_taken_back_while_every_request_is_answered(live: Live, seen: Seen) -> None:
    live = replace(live, policy={**CANARY, "guards": {"p95_ms": 50}})  # or the champion's own, on a busy machine
    before, promotions = live.info()["version"], live.promotions()
    with live.load() as load:
        live.show(load)
        asked = live.hand_over(models.registered(live.backends.settings, models.slow(0.3)))
        live.roll_out(load)
    assert (load.failed(), load.troubles) == ([], [])
    assert (live.request_ends(asked), live.promotions()) == ([State.REJECTED], promotions)
    assert live.info()["version"] == before
    end = live.now()
    assert {breach["guard"] for breach in end.evidence["guards"]} == {"latency"}
    seen(f"{len(load.answers):,} answers, 0 failed; {end.reason}")


@pytest.mark.matrix
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_rollout_with_a_fault_after_each_step_ends_once_and_fails_no_request(
    live: Live, seen: Seen, fault: Fault
) -> None:
    away: list[tuple[float, float]] = []
    with live.load() as load:
        live.show(load)
        model = models.registered(live.backends.settings, models.good(0.3))
        asked, promotions = live.hand_over(model), live.promotions()
        live.roll_out(load, lambda live: away.extend(fault(live)))
    version = model.version.version
    assert load.failed() == []
    assert all(any(begin <= at <= end for begin, end in away) for at in load.troubles)
    assert live.request_ends(asked) == [State.PROMOTED]
    assert live.promotions() == [*promotions, ("promote", version)]
    assert live.info()["version"] == version
    said = live.logged(load)
    assert {row["request_id"] for row in said} <= {answer.request_id for answer in load.answers}
    turns = models_by_turn(said)
    assert all(versions[-1] == version or version not in versions for versions in turns.values())
    seen(
        f"{len(load.answers):,} answers, 0 failed, {len(said):,} logged; "
        f"{len(load.troubles)} times the server was not there; one promotion, one finished request"
    )
