"""How a request ends, stage by stage and as a whole, on the real MLflow server and store."""

import time
from dataclasses import replace
from datetime import timedelta

import pytest

from ml_modeling.frames.frame import SplitFrame
from ml_modeling.frames.splits import HistoryTooShortError
from ml_modeling.registry.connection import MlflowUnavailableError
from ml_modeling.registry.promotion import promote
from ml_modeling.registry.versions import list_versions
from ml_modeling.specification import Range, Rollout
from ml_modeling.training.chosen import NotToBeFixedError
from ml_modeling.use_case import UseCase
from monitoring.control import LeaseLostError, State
from monitoring.retraining import stages, working_off
from monitoring.retraining.errors import GivenUpError, NotAtStageError, UnusablePolicyError, WrongUseCaseError
from monitoring.retraining.working_off import STAGES, do_stage, work_off
from tests.cases.retrain_worker import fast
from tests.integration.monitoring.retraining.conftest import Loop
from tests.integration.monitoring.retraining.test_killed import WAY


def test_each_stage_can_be_done_again_at_any_time(loop: Loop) -> None:
    asked = loop.ask()
    lease = loop.claim().lease
    reached = []
    for name in STAGES:
        once, again = (do_stage(loop.work(), lease, name) for _ in range(2))
        assert (again.state, again.progress) == (once.state, once.progress)
        reached.append(once.state)
    assert reached == [State.TRAINED, State.TRAINED, State.GATED, State.PROMOTED]
    before = loop.store.requests.trail(asked.id)
    assert {do_stage(loop.work(), lease, name).state for name in STAGES} == {State.PROMOTED}
    assert loop.store.requests.trail(asked.id) == before
    assert (loop.states(asked), loop.runs(), len(loop.promotions())) == (WAY, ["FINISHED"], 1)


def test_a_stage_is_refused_before_the_one_before_it_and_with_an_outdated_token(loop: Loop) -> None:
    loop.ask()
    outdated = loop.claim().lease
    with pytest.raises(NotAtStageError, match="is claimed, and this is done when it is gated"):
        do_stage(loop.work(), outdated, "promote")
    loop.store.requests.give_back(outdated, "later")
    with pytest.raises(NotAtStageError, match="is requested"):
        do_stage(loop.work(), outdated, "train")
    loop.claim()
    with pytest.raises(LeaseLostError, match="token 1 is lost"):
        do_stage(loop.work(), outdated, "train")
    assert loop.runs() == []


def test_a_request_of_another_use_case_is_refused(loop: Loop) -> None:
    loop.ask()
    lease = loop.claim().lease
    other = replace(loop.work(), use_case=fast("another"))
    for refused in (lambda: work_off(other, lease), lambda: do_stage(other, lease, "train")):
        with pytest.raises(WrongUseCaseError, match=f"is of use case {loop.name}, not another"):
            refused()
    assert loop.store.requests.get(lease.request_id).state is State.CLAIMED


def test_a_model_that_fails_a_gate_is_rejected_with_the_reasons(loop: Loop) -> None:
    asked = loop.ask()
    gates = loop.work().use_case.spec.gates.model_copy(update={"floors": {"roc_auc": 1.0}})
    ended = work_off(loop.work(gates=gates), loop.claim().lease)
    assert ended.state is State.REJECTED
    assert loop.states(asked) == [*WAY[:-2], State.REJECTED]
    (reason,) = ended.progress["rejected"]["reasons"]
    assert reason.startswith("floor of roc_auc: 0.")
    assert ended.progress["gated"]["passed"] is False
    assert (list_versions(loop.settings, loop.name), loop.promotions()) == ([], [])


def test_a_model_that_passed_is_handed_to_its_rollout(loop: Loop) -> None:
    """The first one has nobody to be compared with; the next one begins with a tenth of the traffic."""
    first = loop.ask()
    assert work_off(loop.work(rollout=Rollout()), loop.claim().lease).state is State.PROMOTED
    assert loop.states(first) == WAY
    loop.ask()
    handed = work_off(loop.work(rollout=Rollout()), loop.claim().lease)
    assert (handed.state, handed.holder) == (State.CANARY, None)
    now = loop.store.rollouts.current(loop.name)
    assert now is not None
    assert (now.request_id, now.traffic.policy, now.traffic.share) == (handed.id, "canary", 10)
    assert len(loop.promotions()) == 1


def test_a_failure_that_lasts_ends_the_request_with_its_sentence(loop: Loop) -> None:
    asked = loop.ask()

    def too_short(_: UseCase) -> SplitFrame:
        raise HistoryTooShortError("a window of 20 days is too short for the split")

    with pytest.raises(HistoryTooShortError):
        work_off(loop.work(too_short), loop.claim().lease)
    ended = loop.store.requests.get(asked.id)
    assert ended.progress["failed"] == {"stage": "train", "error": "a window of 20 days is too short for the split"}
    assert loop.runs() == ["FAILED"]


def test_a_failure_that_passes_gives_the_request_back(loop: Loop) -> None:
    asked = loop.ask()

    def away(_: UseCase) -> SplitFrame:
        raise MlflowUnavailableError("MLflow does not answer")

    with pytest.raises(MlflowUnavailableError):
        work_off(loop.work(away), loop.claim().lease)
    assert loop.states(asked) == [State.REQUESTED, State.CLAIMED, State.REQUESTED]
    assert work_off(loop.work(), loop.claim().lease).state is State.PROMOTED


def test_a_single_stage_keeps_its_lease_for_another_try(loop: Loop) -> None:
    loop.ask()
    lease = loop.claim().lease

    def away(_: UseCase) -> SplitFrame:
        raise MlflowUnavailableError("MLflow does not answer")

    with pytest.raises(MlflowUnavailableError):
        do_stage(loop.work(away), lease, "train")
    assert do_stage(loop.work(), lease, "train").state is State.TRAINED


def test_a_request_that_loses_its_workers_one_after_another_is_given_up(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(working_off, "GIVE_UP_AFTER", 2)
    asked = loop.ask()
    moment = timedelta(milliseconds=1)
    for worker in ("first", "second"):
        assert loop.store.requests.claim(worker, moment, loop.name) is not None
        time.sleep(0.05)
    with pytest.raises(GivenUpError, match="2 workers were lost while the request was claimed"):
        work_off(loop.work(), loop.claim().lease)
    ended = loop.store.requests.get(asked.id)
    assert (ended.state, loop.runs()) == (State.FAILED, [])
    assert ended.progress["failed"]["stage"] == "train"


def test_the_policy_reaches_the_frame_and_is_noted(loop: Loop) -> None:
    asked = loop.ask(window_days=200, trials=2)
    lease, windows = loop.claim().lease, []

    def read(use_case: UseCase) -> SplitFrame:
        windows.append((use_case.window, use_case.spec.search.trials))
        return loop.work().read(use_case)

    trained = do_stage(loop.work(read), lease, "train")
    ((window, trials),) = windows
    assert (window.days if window else None, trials) == (200, 2)
    policy = {"window_days": 200, "parameters": "tune", "trials": 2}
    assert trained.progress["trained"]["policy"] == policy
    assert asked.policy == {"window_days": 200, "trials": 2}


def test_the_champions_parameters_are_fitted_again_without_a_search(loop: Loop) -> None:
    loop.ask()
    first = work_off(loop.work(), loop.claim().lease)
    loop.ask(parameters="champions")
    spaces = {"logistic_regression": {"C": Range(low=0.001, high=10, log=True)}, "lightgbm": {"num_leaves": [7]}}
    second = work_off(loop.work(candidates=spaces), loop.claim().lease)
    assert second.state is State.PROMOTED
    chosen, again = (loop.run_of(request).data for request in (first, second))
    for name in ("candidate", "model.C"):
        assert again.params[name] == chosen.params[name]
    assert again.metrics["trials"] == 1


def test_without_a_champion_its_parameters_are_searched_for(loop: Loop) -> None:
    loop.ask(parameters="champions")
    assert work_off(loop.work(), loop.claim().lease).state is State.PROMOTED


def test_a_champion_whose_candidate_is_gone_fails_the_request_with_advice(loop: Loop) -> None:
    loop.ask()
    work_off(loop.work(), loop.claim().lease)
    loop.ask(parameters="champions")
    with pytest.raises(NotToBeFixedError, match=r"logistic_regression is none of the candidates.*`tune`"):
        work_off(loop.work(candidates={"lightgbm": {"num_leaves": [7]}}), loop.claim().lease)


def test_a_policy_that_cannot_be_read_fails_the_request(loop: Loop) -> None:
    asked = loop.ask(window="short")
    with pytest.raises(UnusablePolicyError, match="window: Extra inputs"):
        work_off(loop.work(), loop.claim().lease)
    assert loop.store.requests.get(asked.id).state is State.FAILED


def test_a_model_that_was_promoted_by_hand_meanwhile_ends_the_request_well(loop: Loop) -> None:
    asked = loop.ask()
    lease = loop.claim().lease
    for name in ("train", "evaluate", "gate"):
        gated = do_stage(loop.work(), lease, name)
    version = stages.register(loop.settings, loop.name, gated.progress["gated"]["run_id"]).version
    by_hand = promote(loop.settings, loop.name, version, "at once", "ada")
    ended = do_stage(loop.work(), lease, "promote")
    assert loop.states(asked) == WAY
    assert ended.progress["promoted"]["reasons"] == [f"version {version} of {loop.name!r} is the champion already"]
    assert loop.promotions() == [by_hand]
