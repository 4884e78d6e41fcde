"""What is particular to each policy, and to what persons decide."""

import pytest

from ml_modeling.registry import audit, champion_version, tags
from ml_modeling.registry.promotion import ChampionChangedError, promote
from ml_modeling.registry.versions import GateNotPassedError
from monitoring.control import Policy, State
from monitoring.rollout.by_hand import promote_by_hand, rollback_by_hand
from monitoring.rollout.conducting import approve, step
from monitoring.rollout.deciding import Action
from monitoring.rollout.ending import settle, stop
from monitoring.rollout.errors import NotToBeApprovedError, ReplayDiffersError, RolloutRunsError
from monitoring.rollout.history import history
from monitoring.rollout.starting import begin
from tests.cases.rollouts import Case


def shares(case: Case) -> list[tuple[int, str | None]]:
    """The challenger's share and version of each epoch, the first first."""
    changes = reversed(case.store.rollouts.history(case.name))
    return [(c.traffic.share, c.traffic.challenger.version if c.traffic.challenger else None) for c in changes]


@pytest.mark.matrix
def test_the_first_model_is_promoted_at_once_whatever_the_policy(case: Case) -> None:
    asked = case.handed_over(case.model())
    taken = step(case.work(policy="canary"))
    assert (taken.action, champion_version(case.settings, case.name)) == (Action.PROMOTE, "1")
    assert case.store.requests.get(asked.id).state is State.PROMOTED
    assert taken.rollout is not None
    assert taken.rollout.traffic.policy is Policy.DIRECT


@pytest.mark.matrix
def test_direct_promotes_at_once_after_the_replay(case: Case) -> None:
    champion = case.champion()
    case.say(champion, 50)
    challenger = case.model()
    asked = case.handed_over(challenger)
    assert step(case.work(policy="direct")).action is Action.PROMOTE
    assert case.store.requests.get(asked.id).state is State.PROMOTED
    begun = case.store.rollouts.history(case.name)[-1]
    assert begun.evidence["replay"]["champion"]["same_to_the_last_bit"] == 50


def test_manual_waits_for_a_person_who_is_named_in_the_trail(case: Case) -> None:
    champion, work = case.champion(), case.work(policy="manual")
    challenger = case.model()
    begun = begin(work, challenger.version, "better")
    case.step_passes(champion, challenger, begun)
    assert step(work).why == "it waits for a person's approval"
    with pytest.raises(NotToBeApprovedError, match=r"version 2 .* is being rolled out, not version 1"):
        approve(work, "1", "looks good")
    taken = approve(case.work("bob", policy="manual"), "2", "the figures are good")
    assert (taken.action, champion_version(case.settings, case.name)) == (Action.PROMOTE, "2")
    record = audit.trail(case.settings, case.name)[-1]
    assert (record.who, record.reason) == ("bob", "better; bob approved it: the figures are good")
    told = {(entry.what, entry.who, entry.version) for entry in history(case.settings, case.store, case.name)}
    assert told == {
        ("promote", "ada", "none -> 1"),
        ("manual begins at 0 %", "conductor", "2"),
        ("approved", "bob", "2"),
        ("promote", "bob", "1 -> 2"),
    }


def test_blue_green_switches_all_at_once_and_promotes_when_the_step_is_passed(case: Case) -> None:
    champion, work = case.champion(), case.work(policy="blue_green")
    challenger = case.model()
    begun = begin(work, challenger.version, "better")
    case.step_passes(champion, challenger, begun)
    assert step(work).action is Action.PROMOTE
    assert shares(case) == [(100, "2"), (0, None)]


@pytest.mark.matrix
def test_a_shadow_answers_nobody_and_is_judged_by_what_it_would_have_said(case: Case) -> None:
    champion, work = case.champion(), case.work(policy="shadow")
    challenger = case.model()
    begun = begin(work, challenger.version, "better")
    assert step(work).action is Action.WAIT
    case.step_passes(champion, challenger, begun)
    assert step(work).action is Action.PROMOTE
    assert shares(case) == [(0, "2"), (0, None)]


def test_a_rollback_during_a_canary_ends_it_and_brings_the_champion_of_before(case: Case) -> None:
    first = case.champion()
    promote(case.settings, case.name, case.model().version.version, "the second", "ada")
    challenger, work = case.model(), case.work()
    asked = case.handed_over(challenger)
    step(work)
    changed = rollback_by_hand(case.place, "complaints")
    assert (changed.record is not None, changed.ended is not None) == (True, True)
    assert champion_version(case.settings, case.name) == first.version.version
    assert shares(case) == [(10, "3"), (0, None), (0, None)]
    now = case.store.rollouts.current(case.name)
    assert now is not None
    assert now.traffic.champion is not None
    assert (now.traffic.champion.version, now.reason) == ("1", "complaints")
    assert case.store.requests.get(asked.id).state is State.REJECTED
    assert step(work).action is None


@pytest.mark.matrix
def test_a_rollback_with_no_champion_before_still_ends_the_canary(case: Case) -> None:
    case.champion()
    begin(case.work(), case.model().version, "better")
    changed = rollback_by_hand(case.place, "complaints")
    assert (changed.record, champion_version(case.settings, case.name)) == (None, "1")
    assert shares(case) == [(10, "2"), (0, None)]


@pytest.mark.matrix
def test_a_promotion_by_hand_ends_a_rollout_and_is_not_taken_back(case: Case) -> None:
    case.champion()
    work = case.work()
    begin(work, case.model().version, "better")
    promote_by_hand(case.place, "2", "the boss wants it")
    assert step(work).action is None
    assert champion_version(case.settings, case.name) == "2"
    now = case.store.rollouts.current(case.name)
    assert now is not None
    assert now.traffic.champion is not None
    assert now.traffic.champion.version == "2"


@pytest.mark.matrix
def test_a_stop_brings_the_champion_back_and_rejects_the_request(case: Case) -> None:
    case.champion()
    asked, work = case.handed_over(case.model()), case.work()
    step(work)
    over = stop(case.place, "a campaign begins")
    assert over is not None
    settle(case.place, over)
    ended = case.store.requests.get(asked.id)
    assert (ended.state, ended.progress["rejected"]["reasons"]) == (State.REJECTED, ["a campaign begins"])
    assert stop(case.place, "again") is None


@pytest.mark.matrix
def test_a_cancelled_request_takes_its_challenger_back(case: Case) -> None:
    case.champion()
    asked, work = case.handed_over(case.model()), case.work()
    step(work)
    case.store.requests.cancel(asked.id, "ann", "wrong data")
    taken = step(work)
    assert taken.why == "its request is rejected, by ann: wrong data"
    assert shares(case) == [(10, "2"), (0, None)]


@pytest.mark.matrix
def test_a_model_past_its_gates_needs_a_persons_word_which_the_trail_keeps(case: Case) -> None:
    champion, work = case.champion(), case.work("ann", policy="direct")
    case.say(champion, 50)
    with pytest.raises(GateNotPassedError, match=r"floor of roc_auc: 0\.5"):
        case.model(verdict=tags.FAILED)
    bad = case.model(verdict=tags.FAILED, override="ann: for the demo")
    assert (bad.version.passed_gates, bad.version.version) == (False, "2")
    with pytest.raises(GateNotPassedError):
        begin(work, bad.version, "for the demo")
    begun = begin(work, bad.version, "for the demo", is_override=True)
    assert begun.reason == "past the gates, by a person's decision: for the demo"
    assert step(work).action is Action.PROMOTE
    record = audit.trail(case.settings, case.name)[-1]
    assert (record.is_override, record.to_version) == (True, "2")
    assert [e.what for e in history(case.settings, case.store, case.name)][-1] == "promote past the gates"
    assert rollback_by_hand(case.place, "it is bad").record is not None
    assert champion_version(case.settings, case.name) == "1"


@pytest.mark.matrix
def test_a_champion_that_says_something_else_now_stops_the_rollout_and_fails_the_request(case: Case) -> None:
    champion = case.champion()
    case.say(champion, 50, shift=0.01)
    asked = case.handed_over(case.model())
    assert step(case.work()).action is None
    ended = case.store.requests.get(asked.id)
    assert ended.state is State.FAILED
    assert ended.progress["failed"]["error"].startswith("version 1 of ")
    assert "says 50 of its 50 logged answers otherwise now, so nothing is rolled out; log: " in str(ended.progress)
    assert shares(case) == []
    with pytest.raises(ReplayDiffersError):
        begin(case.work(), case.model().version, "by hand")


@pytest.mark.matrix
def test_one_rollout_at_a_time_and_the_next_request_waits_its_turn(case: Case) -> None:
    champion, work = case.champion(), case.work()
    first, second = case.model(), case.model()
    begun = begin(work, first.version, "the first")
    with pytest.raises(RolloutRunsError, match=r"version 2 of .* is being rolled out"):
        begin(work, second.version, "the second")
    asked = case.handed_over(second)
    case.step_passes(champion, first, begun, failed=60)
    assert step(work).action is Action.ROLL_BACK
    assert case.store.requests.get(asked.id).state is State.CANARY
    assert step(work).action is Action.WAIT
    assert shares(case) == [(10, "2"), (0, None), (10, "3")]


@pytest.mark.matrix
def test_a_version_judged_against_a_former_champion_is_not_begun_by_hand(case: Case) -> None:
    case.champion()
    late = case.model()
    promote(case.settings, case.name, case.model().version.version, "was faster", "ada")
    with pytest.raises(ChampionChangedError, match="judged against champion 1, which is now 3"):
        begin(case.work(), late.version, "late")


def test_an_ab_test_that_ends_before_its_outcomes_is_not_begun(case: Case) -> None:
    """Whether somebody leaves is known after 90 days."""
    case.champion()
    asked = case.handed_over(case.model())
    assert step(case.work(policy="ab")).action is None
    ended = case.store.requests.get(asked.id)
    assert ended.state is State.FAILED
    assert "outcomes, which take 90 days, and rollout.most_days = 14 ends it before" in str(ended.progress["failed"])
    begun = begin(case.work(policy="ab", most_days=100), case.model().version, "with time")
    assert (begun.traffic.share, begun.evidence["label_delay_days"]) == (50, 90)
