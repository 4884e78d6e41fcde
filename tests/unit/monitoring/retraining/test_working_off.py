"""What becomes of a failure of a stage: a service that is away, a worker that is told to end, one that is lost."""

import signal
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from ml_modeling.registry import MlflowUnavailableError
from ml_modeling.use_case import load_use_case
from monitoring.control import ControlStore, Lease, RetrainRequest, State
from monitoring.retraining import working_off
from monitoring.retraining.errors import GivenUpError
from monitoring.retraining.lease import HeldLease
from monitoring.retraining.work import Work
from monitoring.retraining.working_off import GIVE_UP_AFTER, STAGES, do_stage
from tests.cases.control_stores import SetClock, ask, request
from tidemill.config import load_settings
from tidemill.config.interruption import Interrupted

LEASE = timedelta(minutes=1)
RUN_OF_THE_DAG = timedelta(minutes=10)
AWAY = MlflowUnavailableError("MLflow does not answer")


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def store(tmp_path: Path, clock: SetClock) -> Iterator[ControlStore]:
    with ControlStore(f"sqlite:///{tmp_path}/control.db", clock) as opened:
        yield opened


@pytest.fixture
def work(store: ControlStore) -> Work:
    def no_frame(_: object) -> None:
        raise AssertionError("nothing is read here")

    return Work(load_settings({}), store, load_use_case("churn"), no_frame, lambda _: None)  # type: ignore[arg-type]


def train_by(monkeypatch: pytest.MonkeyPatch, stage: Callable[[HeldLease], RetrainRequest]) -> None:
    """What is done in the place of a training."""
    due, _ = STAGES["train"]
    monkeypatch.setitem(working_off.STAGES, "train", (due, lambda _work, _request, held: stage(held)))


def claimed(store: ControlStore, number: int) -> Lease:
    return request(store.requests.claim(f"run {number}", LEASE, "churn")).lease


def failing_with(error: BaseException) -> Callable[[HeldLease], RetrainRequest]:
    def fail(_: HeldLease) -> RetrainRequest:
        raise error

    return fail


def trained(held: HeldLease) -> RetrainRequest:
    return held.advance(State.CLAIMED, State.TRAINED, {})


def notes(store: ControlStore, lease: Lease, name: str) -> Sequence[object]:
    """What was left in the trail by those who kept their lease."""
    return [row.detail[name] for row in store.requests.trail(lease.request_id) if name in row.detail]


def test_after_an_outage_of_a_night_the_request_is_where_it_was_and_is_trained(
    work: Work, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = request(work.store.requests.ask(ask()))
    train_by(monkeypatch, failing_with(AWAY))
    runs = 3 * GIVE_UP_AFTER
    for number in range(runs):
        lease = claimed(work.store, number)
        for _ in range(2):
            with pytest.raises(MlflowUnavailableError):
                do_stage(work, lease, "train")
        clock.jump(RUN_OF_THE_DAG)
    assert notes(work.store, lease, "failed_for_now") == ["MLflow does not answer"] * 2 * runs
    assert work.store.requests.get(asked.id).state is State.CLAIMED
    train_by(monkeypatch, trained)
    assert do_stage(work, claimed(work.store, runs), "train").state is State.TRAINED


def test_a_training_that_its_time_limit_always_ends_ends_the_request(
    work: Work, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = request(work.store.requests.ask(ask()))
    train_by(monkeypatch, failing_with(Interrupted(signal.SIGTERM)))
    for number in range(GIVE_UP_AFTER):
        with pytest.raises(Interrupted):
            do_stage(work, lease := claimed(work.store, number), "train")
        clock.jump(RUN_OF_THE_DAG)
    assert notes(work.store, lease, "interrupted") == ["ended by SIGTERM"] * GIVE_UP_AFTER
    with pytest.raises(GivenUpError, match="or told to end"):
        do_stage(work, claimed(work.store, GIVE_UP_AFTER), "train")
    assert work.store.requests.get(asked.id).state is State.FAILED


def test_workers_that_vanish_without_a_word_are_counted_and_those_that_left_one_are_not(
    work: Work, store: ControlStore, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = request(store.requests.ask(ask()))
    train_by(monkeypatch, failing_with(AWAY))
    for number in range(2 * GIVE_UP_AFTER - 1):
        lease = claimed(store, number)
        if number % 2:
            with pytest.raises(MlflowUnavailableError):
                do_stage(work, lease, "train")
        clock.jump(RUN_OF_THE_DAG)
    with pytest.raises(GivenUpError, match=f"{GIVE_UP_AFTER} workers were lost while the request was claimed"):
        do_stage(work, claimed(store, 2 * GIVE_UP_AFTER), "train")
    assert store.requests.get(asked.id).state is State.FAILED


def test_the_lease_is_kept_for_another_try(
    work: Work, store: ControlStore, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    request(store.requests.ask(ask()))
    lease = claimed(store, 0)
    train_by(monkeypatch, failing_with(AWAY))
    with pytest.raises(MlflowUnavailableError):
        do_stage(work, lease, "train")
    clock.jump(LEASE / 2)
    assert store.requests.claim("another", LEASE) is None
    train_by(monkeypatch, trained)
    assert do_stage(work, lease, "train").token == lease.token


def test_an_error_says_the_same_where_the_request_cannot_be_told(
    work: Work, store: ControlStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    request(store.requests.ask(ask()))
    lease = claimed(store, 0)

    def cancelled_meanwhile(_: HeldLease) -> RetrainRequest:
        work.store.requests.cancel(lease.request_id, "ann", "no need")
        raise AWAY

    train_by(monkeypatch, cancelled_meanwhile)
    with pytest.raises(MlflowUnavailableError):
        do_stage(work, lease, "train")
    assert "was not told" in caplog.text
