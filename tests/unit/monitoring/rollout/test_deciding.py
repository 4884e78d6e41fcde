from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ml_modeling.specification import Rollout
from monitoring.control import Approval, Policy, Traffic
from monitoring.rollout.contest import Contest
from monitoring.rollout.deciding import Action, Standing, decide
from monitoring.rollout.figures import ChallengerFigures, Figures
from monitoring.rollout.plan import plan_of
from tests.cases.control_stores import model

SPEC = Rollout(step_minutes=30, min_answers=100)
BEGAN = datetime(2026, 3, 1, 12, tzinfo=UTC)
ENOUGH = Figures(challenger=ChallengerFigures(answers=100))
BROKEN = Figures(challenger=ChallengerFigures(answers=100, failed=100))
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def standing(policy: str, share: int = 0) -> Standing:
    traffic = Traffic(Policy(policy), model("1"), model("2"), share)
    return Standing(plan_of(SPEC, Policy(policy)), traffic, BEGAN, BEGAN)


@pytest.mark.parametrize(
    ("share", "figures", "after", "action", "following"),
    [
        (10, ENOUGH, 29 * MINUTE, Action.WAIT, None),
        (10, Figures(challenger=ChallengerFigures(answers=99)), DAY, Action.WAIT, None),
        (10, ENOUGH, 30 * MINUTE, Action.STEP, 50),
        (50, ENOUGH, 30 * MINUTE, Action.STEP, 100),
        (100, ENOUGH, 30 * MINUTE, Action.PROMOTE, None),
        (10, ENOUGH, -30 * MINUTE, Action.STEP, 50),
        (10, ENOUGH, -300 * DAY, Action.STEP, 50),
        (10, BROKEN, MINUTE, Action.ROLL_BACK, None),
        (10, Figures(), 15 * DAY, Action.ROLL_BACK, None),
        (10, Figures(), -15 * DAY, Action.ROLL_BACK, None),
        (100, ENOUGH, 15 * DAY, Action.PROMOTE, None),
    ],
    ids=[
        "too early",
        "too few answers",
        "first step passed",
        "second step passed",
        "last step passed",
        "clock set back",
        "clock set back far",
        "a guard",
        "never over",
        "never over, clock set back",
        "over at last",
    ],
)
def test_a_canary(share: int, figures: Figures, after: timedelta, action: Action, following: int | None) -> None:
    decision = decide(SPEC, standing("canary", share), figures, BEGAN + after)
    assert decision.action is action, decision.why
    assert (decision.traffic.share if decision.traffic else None) == following
    assert bool(decision.breaches) is (action is Action.ROLL_BACK)


def test_direct_does_not_wait() -> None:
    assert decide(SPEC, standing("direct"), Figures(), BEGAN).action is Action.PROMOTE


@pytest.mark.parametrize("policy", ["shadow", "blue_green"])
def test_one_step_and_the_promotion(policy: str) -> None:
    at = standing(policy, 100 if policy == "blue_green" else 0)
    assert decide(SPEC, at, ENOUGH, BEGAN).action is Action.WAIT
    assert decide(SPEC, at, ENOUGH, BEGAN + 30 * MINUTE).action is Action.PROMOTE


@pytest.mark.parametrize(
    ("figures", "after", "action"),
    [
        (Figures(champion_answers=100), 29 * MINUTE, Action.WAIT),
        (Figures(champion_answers=99), DAY, Action.WAIT),
        (Figures(champion_answers=100), 30 * MINUTE, Action.ROLL_BACK),
        (Figures(champion_answers=100), -30 * MINUTE, Action.ROLL_BACK),
        (Figures(ChallengerFigures(answers=1), 100), DAY, Action.WAIT),
        (Figures(ChallengerFigures(failed=1), 100), DAY, Action.WAIT),
    ],
    ids=["too early", "hardly anybody asks", "clear", "clock set back", "it scores", "it fails, by its guard"],
)
def test_a_shadow_that_no_server_can_load_is_taken_back_when_that_is_clear(
    figures: Figures, after: timedelta, action: Action
) -> None:
    decision = decide(SPEC, standing("shadow"), figures, BEGAN + after)
    assert decision.action is action, decision.why
    if action is Action.ROLL_BACK:
        assert decision.why.startswith("the shadow scored none of the champion's 100 answers")
        assert [breach.guard for breach in decision.breaches] == ["silent_shadow"]
    canary = decide(SPEC, standing("canary", 10), figures, BEGAN + after)
    assert canary.action is Action.WAIT


def test_manual_waits_for_the_approval_and_not_for_ever() -> None:
    at = standing("manual")
    assert decide(SPEC, at, ENOUGH, BEGAN + DAY).why == "it waits for a person's approval"
    given = Approval("churn", 1, model("2"), "ann", "it looks good", BEGAN)
    decision = decide(SPEC, replace(at, approvals=[given]), ENOUGH, BEGAN + DAY)
    assert (decision.action, decision.why) == (Action.PROMOTE, "ann approved it: it looks good")
    late = decide(SPEC, at, ENOUGH, BEGAN + 15 * DAY)
    assert late.action is Action.ROLL_BACK
    assert "not over after 14 days: it waits for a person's approval" in late.why


@pytest.mark.parametrize(
    ("contest", "action"),
    [
        (None, Action.WAIT),
        (Contest(90, 90, 80, 0.0, worse=1.0, better=2.9), Action.WAIT),
        (Contest(90, 90, 80, -0.1, better=3.0), Action.PROMOTE),
        (Contest(90, 90, 80, 0.1, worse=3.0), Action.ROLL_BACK),
    ],
    ids=["no outcomes", "not decided", "better", "worse"],
)
def test_an_ab_test_is_decided_by_outcomes_alone(contest: Contest | None, action: Action) -> None:
    """1 / 0.05 is 20, whose logarithm is 2.996."""
    decision = decide(SPEC, standing("ab", 50), replace(ENOUGH, contest=contest), BEGAN + DAY)
    assert decision.action is action, decision.why
    undecided = decide(SPEC, standing("ab", 50), replace(ENOUGH, contest=contest), BEGAN + 15 * DAY)
    assert undecided.action is (Action.ROLL_BACK if action is Action.WAIT else action)
