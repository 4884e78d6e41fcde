"""Which of the requests that wait for a rollout gets it; the registry is played, the control store is SQLite."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ml_modeling.registry import MlflowRequestError, MlflowUnavailableError, ModelIdentity, UnreadableModelError
from ml_modeling.replay import Replay
from ml_modeling.replay.run import NothingToReplayError
from ml_modeling.tracking.runs import UnusableRunError
from ml_modeling.use_case import load_use_case
from monitoring.control import ControlStore, ControlStoreRefusedError, RetrainRequest, State, StateConflictError
from monitoring.rollout import conducting, ending, proving, starting
from monitoring.rollout.deciding import Action
from monitoring.rollout.work import Place, Work
from tests.cases.control_stores import HOUR, NO_LIMITS, ask, request
from tidemill.config import load_settings

CHAMPION, OLDER, NEWER = "3", "7", "8"


def version(number: str) -> Any:
    identity = ModelIdentity(run_id=f"run-{number}", model_id=f"m-{number}")
    ids = {"run_id": identity.run_id, "model_id": identity.model_id, "digest": ""}
    return SimpleNamespace(name="churn", version=number, identity=identity, metrics={}, **ids)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ControlStore]:
    with ControlStore(f"sqlite:///{tmp_path}/control.db") as opened:
        yield opened


@pytest.fixture
def work(store: ControlStore, monkeypatch: pytest.MonkeyPatch) -> Work:
    monkeypatch.setattr(conducting, "get_version", lambda _settings, _name, number: version(number))
    for module in (conducting, starting, ending):
        monkeypatch.setattr(module, "behind_alias", lambda *_: version(CHAMPION))
    monkeypatch.setattr(starting, "check_judged", lambda *_: None)
    monkeypatch.setattr(starting, "_delay", lambda *_: {})
    monkeypatch.setattr(ending, "dismiss", lambda *_: None)
    return Work(Place(load_settings({}), store, "churn", "rollout_churn"), load_use_case("churn"))


def handed_over(store: ControlStore, number: str) -> RetrainRequest:
    asked = request(store.requests.ask(ask(key=number), NO_LIMITS))
    lease = request(store.requests.claim("worker", HOUR, request_id=asked.id)).lease
    store.requests.advance(lease, State.CLAIMED, State.TRAINED)
    store.requests.advance(lease, State.TRAINED, State.GATED)
    store.requests.advance(lease, State.GATED, State.CANARY, {"run_id": f"run-{number}", "version": number})
    return store.requests.give_back(lease, "handed over")


def replay_raises(monkeypatch: pytest.MonkeyPatch, of: str | None, error: Exception) -> None:
    """What the replay of version ``of`` ends in (None: the champion's); that of another has nothing to replay."""

    def replay(_settings: object, _use_case: str, number: str | None, *_: object) -> Replay:
        raise error if number == of else NothingToReplayError("no answer of churn is logged")

    monkeypatch.setattr(proving, "replay", replay)


@pytest.mark.parametrize(
    "error",
    [
        UnreadableModelError("version 7 of 'churn' cannot score logged rows: ValueError: Input X contains NaN"),
        UnusableRunError("run run-7 is of use case spend"),
        MlflowRequestError("downloading models:/m-7: refused"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_model_that_can_never_begin_has_failed_and_the_next_one_begins(
    work: Work, store: ControlStore, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    older, newer = handed_over(store, OLDER), handed_over(store, NEWER)
    replay_raises(monkeypatch, OLDER, error)
    taken = conducting.step(work)
    ended = store.requests.get(older.id)
    assert (ended.state, ended.progress["failed"]["error"]) == (State.FAILED, str(error))
    assert ended.progress["failed"]["stage"] == "rollout"
    assert taken.action is Action.WAIT
    assert taken.rollout is not None
    assert taken.rollout.request_id == newer.id


@pytest.mark.parametrize(
    "error",
    [
        MlflowUnavailableError("MLflow does not answer"),
        StateConflictError("the traffic was changed"),
        ControlStoreRefusedError("no right to write"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_says_nothing_against_a_request_leaves_it_where_it_is(
    work: Work, store: ControlStore, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    waiting = handed_over(store, OLDER)
    replay_raises(monkeypatch, OLDER, error)
    with pytest.raises(type(error)):
        conducting.step(work)
    assert store.requests.get(waiting.id) == waiting


def test_a_champion_that_raises_is_named_with_the_way_out(
    work: Work, store: ControlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = handed_over(store, OLDER)
    replay_raises(monkeypatch, None, UnreadableModelError("version 3 of 'churn' cannot score logged rows: TypeError"))
    assert conducting.step(work).action is None
    told = store.requests.get(waiting.id).progress["failed"]["error"]
    for part in ("the champion cannot be compared with", "version 3 of 'churn'", "tidemill models retire churn"):
        assert part in told
