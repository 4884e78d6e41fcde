"""How a rollout goes, policy by policy, with the real registry, a control store and a log."""

from datetime import timedelta

import pytest

from ml_modeling.registry import audit, champion_version
from ml_modeling.registry.aliases import CHALLENGER, alias_version
from monitoring.control import State
from monitoring.rollout.conducting import step
from monitoring.rollout.deciding import Action
from tests.cases.rollouts import Case

MINUTE = timedelta(minutes=1)


def test_a_canary_goes_step_by_step_to_its_promotion(case: Case) -> None:
    champion = case.champion()
    case.say(champion, 200, at=case.clock.now - 60 * MINUTE)
    challenger = case.model()
    asked, work = case.handed_over(challenger), case.work()
    begun = step(work)
    assert begun.action is Action.WAIT
    assert begun.rollout is not None
    proof = begun.rollout.evidence["replay"]
    assert proof["champion"] == {"version": "1", "answers": 200, "same_to_the_last_bit": 200}
    assert proof["challenger"]["answers"] == 200

    shares, now = [begun.rollout.traffic.share], begun.rollout
    for _ in range(2):
        case.step_passes(champion, challenger, now)
        taken = step(work)
        assert (taken.action, taken.rollout is not None) == (Action.STEP, True), taken.why
        assert taken.rollout is not None
        now = taken.rollout
        shares.append(now.traffic.share)
    assert shares == [10, 50, 100]
    assert champion_version(case.settings, case.name) == "1"

    case.step_passes(champion, challenger, now)
    promoted = step(work)
    assert promoted.action is Action.PROMOTE, promoted.why
    assert champion_version(case.settings, case.name) == "2"
    assert alias_version(case.settings, case.name, CHALLENGER) is None
    record = audit.trail(case.settings, case.name)[-1]
    assert (record.action, record.state, record.request_id) == ("promote", "completed", str(asked.id))
    assert record.rollout == begun.rollout.key
    assert "200 answers of the challenger, 0 failed" in record.evidence
    ended = case.store.requests.get(asked.id)
    assert ended.state is State.PROMOTED
    assert ended.progress["promoted"]["audit"] == record.id
    assert promoted.rollout is not None
    traffic = promoted.rollout.traffic
    assert (traffic.champion and traffic.champion.version, traffic.challenger, traffic.share) == ("2", None, 0)
    assert step(work).action is None


@pytest.mark.parametrize(
    ("changed", "guard", "sentence"),
    [
        pytest.param(
            {"failed": 60}, "error_rate", "the challenger failed at 60 of its 200 requests (30.0%", id="errors"
        ),
        pytest.param(
            {"ms": 400.0}, "latency", "200 of the challenger's 200 answers", id="latency", marks=pytest.mark.matrix
        ),
        pytest.param(
            {"shift": 0.4},
            "score_distribution",
            "200 scores of the challenger are apart from those of its replay",
            id="scores",
            marks=pytest.mark.matrix,
        ),
    ],
)
def test_a_breach_takes_the_challenger_back_and_tells_the_figures(
    case: Case, changed: dict[str, float], guard: str, sentence: str
) -> None:
    champion = case.champion()
    case.say(champion, 200, at=case.clock.now - 60 * MINUTE)
    challenger = case.model()
    asked, work = case.handed_over(challenger), case.work()
    begun = step(work).rollout
    assert begun is not None
    case.step_passes(champion, challenger, begun, **changed)
    taken = step(work)
    assert taken.action is Action.ROLL_BACK, taken.why
    assert taken.why.startswith(sentence)
    assert taken.rollout is not None
    traffic = taken.rollout.traffic
    assert (traffic.champion and traffic.champion.version, traffic.challenger, traffic.share) == ("1", None, 0)
    assert [found["guard"] for found in taken.rollout.evidence["guards"]] == [guard]
    ended = case.store.requests.get(asked.id)
    assert ended.state is State.REJECTED
    assert ended.progress["rejected"]["guards"] == taken.rollout.evidence["guards"]
    assert champion_version(case.settings, case.name) == "1"
    assert alias_version(case.settings, case.name, CHALLENGER) is None
