"""``tidemill retrain``, on a store in a home folder of its own."""

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from click.testing import CliRunner, Result

from monitoring.control import (
    Ask,
    ControlStore,
    ControlStoreAwayError,
    Lease,
    LeaseLostError,
    Limits,
    RetrainRequest,
    Source,
    State,
    StateConflictError,
)
from monitoring.control.requests import RetrainRequests
from monitoring.retraining.order import TO_WORK_OFF
from tests.cases.control_stores import NO_LIMITS, SetClock, ask, request
from tests.cases.waiting import eventually
from tidemill import following
from tidemill.airflow_api import AirflowUnavailableError
from tidemill.cli import cli
from tidemill.commands import dags
from tidemill.config.errors import TidemillError

HOUR = timedelta(hours=1)
NO_ROWS = {"error": "no rows"}


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ControlStore:
    """What the commands read and write."""
    monkeypatch.setenv("TIDEMILL_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(following, "POLL_S", 0.05)
    return ControlStore(f"sqlite:///{tmp_path}/control.db")


def retrain(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["retrain", *arguments])


def told(*arguments: str) -> Any:
    """The JSON document that a command printed."""
    done = retrain(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def refusal(*arguments: str) -> TidemillError:
    error = retrain(*arguments).exception
    assert isinstance(error, TidemillError), error
    return error


def test_a_person_asks_and_is_told_which_request_it_is(store: ControlStore) -> None:
    first = told("request", "churn", "--reason", "prices changed", "--by", "ann")
    assert (first["use_case"], first["source"], first["actor"]) == ("churn", "person", "ann")
    assert (first["reason"], first["state"], first["asked"]) == ("prices changed", "requested", 1)
    again = retrain("request", "churn", "--reason", "and a new shop", "--by", "bob")
    assert again.stdout == f"request {first['id']} of churn is requested, asked for 2 times\n"
    assert told("request", "fraud", "--reason", "prices changed")["id"] != first["id"]


def test_a_reason_is_needed(store: ControlStore) -> None:
    assert retrain("request", "churn").exit_code == 2
    assert "the reason is empty" in str(refusal("request", "churn", "--reason", " "))


@pytest.mark.parametrize("command", [["request", "--reason", "x"], ["list"], ["suppressed"]], ids=lambda c: c[0])
def test_an_unknown_use_case_is_named(store: ControlStore, command: list[str]) -> None:
    text = str(refusal(*command, "chrun"))
    assert text == "there is no use case 'chrun' that can be trained; did you mean 'churn'?"


def test_requests_are_listed(store: ControlStore) -> None:
    told("request", "churn", "--reason", "[bold]prices[/bold] changed")
    fraud = told("request", "fraud", "--reason", "a new kind of card")
    told("cancel", fraud["id"], "--reason", "not yet")
    assert [made["use_case"] for made in told("list")] == ["fraud", "churn"]
    assert [made["use_case"] for made in told("list", "churn")] == ["churn"]
    assert [made["use_case"] for made in told("list", "--open")] == ["churn"]
    assert [made["use_case"] for made in told("list", "--limit", "1")] == ["fraud"]
    assert "[bold]prices[/bold] changed" in retrain("list").stdout


def test_a_request_is_shown_with_its_trail(store: ControlStore) -> None:
    made = told("request", "churn", "--reason", "prices changed", "--by", "ann")
    held = store.requests.claim("worker-1", HOUR)
    assert held is not None
    store.requests.advance(held.lease, State.CLAIMED, State.TRAINED, {"run_id": "4f"})
    shown = told("show", made["id"])
    assert (shown["state"], shown["holder"], shown["progress"]) == (
        "trained",
        "worker-1",
        {"trained": {"run_id": "4f"}},
    )
    assert [(entry["actor"], entry["from_state"], entry["to_state"]) for entry in shown["trail"]] == [
        ("ann", None, "requested"),
        ("worker-1", "requested", "claimed"),
        ("worker-1", "claimed", "trained"),
    ]
    printed = retrain("show", made["id"]).stdout
    assert "claimed -> trained" in printed
    assert "worker-1 until" in printed


def test_a_person_cancels_and_who_works_on_it_is_told(store: ControlStore) -> None:
    made = told("request", "churn", "--reason", "prices changed")
    held = store.requests.claim("worker-1", HOUR)
    assert held is not None
    done = retrain("cancel", made["id"], "--reason", "wrong data", "--by", "ann")
    assert done.stdout == f"request {made['id']} is rejected\n"
    with pytest.raises(LeaseLostError):
        store.requests.renew(Lease(held.id, held.token), HOUR)
    assert "is rejected since" in str(refusal("cancel", made["id"], "--reason", "again"))


def test_an_unknown_request_is_named(store: ControlStore) -> None:
    nobody = "00000000-0000-0000-0000-000000000007"
    for command in (["show", nobody], ["cancel", nobody, "--reason", "no"]):
        assert f"there is no request {nobody}: `tidemill retrain list`" in str(refusal(*command))
    assert retrain("show", "churn").exit_code == 2


def test_what_was_refused_is_listed_with_the_reason(store: ControlStore) -> None:
    for key in ("1", "2"):
        store.requests.ask(ask(key=key))
    store.requests.ask(Ask("fraud", Source.DRIFT, "1", "psi", "monitor_fraud"), Limits(per_day=0))
    assert [(refused["use_case"], refused["key"], refused["why"]) for refused in told("suppressed")] == [
        ("fraud", "1", "budget"),
        ("churn", "2", "open"),
    ]
    assert [refused["use_case"] for refused in told("suppressed", "churn")] == ["churn"]
    assert "is open: its model is judged first" in retrain("suppressed", "churn").stdout


def test_what_a_person_says_of_the_training_is_the_policy(store: ControlStore) -> None:
    policy = ["--window-days", "180", "--parameters", "champions", "--trials", "5"]
    made = told("request", "churn", "--reason", "prices changed", *policy)
    assert made["policy"] == {"window_days": 180, "parameters": "champions", "trials": 5}
    assert retrain("request", "churn", "--reason", "x", "--window-days", "0").exit_code == 2


def test_another_policy_than_that_of_the_open_request_is_refused(store: ControlStore) -> None:
    made = told("request", "churn", "--reason", "prices changed")
    error = refusal("request", "churn", "--reason", "and a new shop", "--window-days", "180", "--wait")
    assert isinstance(error, StateConflictError)
    assert f"request {made['id']} of churn is open and trains by another policy (as model.yaml says)" in str(error)
    assert told("request", "churn", "--reason", "so do I")["asked"] == 2


def test_the_schedule_asks_within_the_limits_of_model_yaml(store: ControlStore) -> None:
    """Churn declares none, so the defaults hold: after a request that was worked on, a day of rest."""
    made = told("request", "churn", "--reason", "Sunday", "--source", "schedule")
    assert (made["source"], made["key"]) == ("schedule", "schedule")
    assert told("request", "churn", "--reason", "Sunday", "--source", "schedule")["asked"] == 2
    told("cancel", made["id"], "--reason", "not today")
    refused = told("request", "churn", "--reason", "Sunday", "--source", "schedule")
    assert (refused["request_id"], refused["why"]) == (None, "cool_down")
    assert retrain("request", "churn", "--reason", "x", "--source", "schedule").stdout.startswith("not asked for: ")
    assert told("request", "churn", "--reason", "prices changed")["state"] == "requested"


def when_asked_again(store: ControlStore, request_id: str, act: Callable[[], object]) -> None:
    """``act`` meanwhile, as soon as the command that is run next has asked."""

    def wait() -> None:
        eventually(lambda: store.requests.get(UUID(request_id)).asked == 2, "the second ask")
        act()

    threading.Thread(target=wait, daemon=True).start()


def end(store: ControlStore, holder: str, state: State) -> UUID:
    """What a run of the DAG does that claims as ``holder``: the oldest request is worked off."""
    lease = request(store.requests.claim(holder, HOUR, states=TO_WORK_OFF)).lease
    store.requests.advance(lease, State.CLAIMED, State.TRAINED, {})
    store.requests.advance(lease, State.TRAINED, State.GATED, {})
    reasons = {"reasons": ["floor of roc_auc: 0.5"]} if state is State.REJECTED else {}
    store.requests.advance(lease, State.GATED, state, reasons)
    return lease.request_id


def test_its_dag_is_run_at_once_and_the_end_is_told(store: ControlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = []

    def rejected(dag_id: str) -> None:
        ran.append(dag_id)
        end(store, "airflow", State.REJECTED)

    monkeypatch.setattr(dags, "run_to_end", rejected)
    done = retrain("request", "churn", "--reason", "prices changed", "--run")
    assert ran == ["retrain_churn"]
    assert "of churn is rejected" in done.stdout
    assert str(done.exception).endswith("is rejected: floor of roc_auc: 0.5")


def test_its_dag_is_run_until_this_request_was_worked_off(store: ControlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """An older one is open, and a run takes the oldest."""
    older = request(store.requests.ask(ask(key="older"), NO_LIMITS))
    ended: list[UUID] = []
    monkeypatch.setattr(dags, "run_to_end", lambda _: ended.append(end(store, "airflow", State.PROMOTED)))
    made = told("request", "churn", "--reason", "prices changed", "--run")
    assert made["state"] == "promoted"
    assert ended == [older.id, UUID(made["id"])]


def test_what_a_run_of_the_schedule_took_is_followed_and_told(
    store: ControlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run that was asked for begins when that one has ended, finds nothing left, and is skipped."""
    monkeypatch.setattr(dags, "run_to_end", lambda _: end(store, "retrain_churn scheduled", State.PROMOTED))
    done = retrain("request", "churn", "--reason", "prices changed", "--by", "ann", "--run")
    assert done.exit_code == 0
    assert [line.split(maxsplit=2)[2] for line in done.stderr.splitlines()] == [
        'requested by ann {"reason": "prices changed"}',
        *(f"{what} by retrain_churn scheduled" for what in ("claimed", "trained", "gated", "promoted")),
    ]


def test_what_is_held_already_needs_no_other_run(store: ControlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dags, "run_to_end", lambda dag_id: pytest.fail(f"{dag_id} was run"))
    made = told("request", "churn", "--reason", "prices changed")
    lease = request(store.requests.claim("retrain_churn scheduled", HOUR)).lease
    when_asked_again(store, made["id"], lambda: store.requests.advance(lease, State.CLAIMED, State.FAILED, NO_ROWS))
    done = retrain("request", "churn", "--reason", "still", "--run")
    assert str(done.exception) == f"request {made['id']} of churn is failed: no rows"


def test_a_store_that_is_away_is_asked_again_and_airflow_is_not(
    store: ControlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    get, away = RetrainRequests.get, [ControlStoreAwayError("no answer")]

    def flaky(requests: RetrainRequests, request_id: UUID) -> RetrainRequest:
        if away:
            raise away.pop()
        return get(requests, request_id)

    def gone(dag_id: str) -> None:
        raise AirflowUnavailableError(f"no answer about {dag_id}")

    monkeypatch.setattr(RetrainRequests, "get", flaky)
    monkeypatch.setattr(dags, "run_to_end", gone)
    done = retrain("request", "churn", "--reason", "prices changed", "--by", "ann", "--run")
    assert done.stderr.splitlines()[0] == "no answer"
    assert isinstance(done.exception, AirflowUnavailableError)


def test_one_that_waits_is_shown_until_it_is_claimed(store: ControlStore) -> None:
    assert told("waiting", "churn") == {"request_id": None}
    made = told("request", "churn", "--reason", "prices changed")
    assert told("waiting", "churn")["request_id"] == made["id"]
    claimed = told("claim", "churn", "--holder", "run 1")
    assert (claimed["request_id"], claimed["token"], claimed["state"]) == (made["id"], 1, "claimed")
    assert told("waiting", "churn") == told("claim", "churn", "--holder", "run 2") == {"request_id": None}


def test_what_nobody_took_for_a_month_expires_with_the_next_claim(tmp_path: Path, store: ControlStore) -> None:
    """Its DAG was paused, say: what it was asked for by is of another time."""
    clock = SetClock()
    clock.now = datetime.now(UTC) - timedelta(days=31)
    with ControlStore(f"sqlite:///{tmp_path}/control.db", clock) as then:
        old = request(then.requests.ask(ask(key="old"), NO_LIMITS))
        elsewhere = request(then.requests.ask(ask(use_case="fraud")))
    young = request(store.requests.ask(ask(key="young"), NO_LIMITS))
    assert told("claim", "churn", "--holder", "run 1")["request_id"] == str(young.id)
    assert store.requests.get(old.id).state is State.EXPIRED
    assert store.requests.trail(old.id)[-1].actor == "run 1"
    assert store.requests.get(elsewhere.id).state is State.REQUESTED
    assert told("claim", "fraud", "--request", str(elsewhere.id))["state"] == "claimed"


def test_who_claims_again_gets_what_it_has(store: ControlStore) -> None:
    told("request", "churn", "--reason", "prices changed")
    claimed = told("claim", "churn", "--holder", "run 1")
    assert told("claim", "churn", "--holder", "run 1") == claimed
    assert "held by run 1: it cannot be claimed" in str(refusal("claim", "churn", "--request", claimed["request_id"]))


def test_a_request_is_followed_to_its_end(store: ControlStore) -> None:
    made = told("request", "churn", "--reason", "prices changed", "--by", "ann")
    told("cancel", made["id"], "--reason", "wrong data", "--by", "bob")
    other = told("request", "churn", "--reason", "prices changed", "--by", "ann")
    when_asked_again(store, other["id"], lambda: store.requests.cancel(UUID(other["id"]), "bob", "not today"))
    done = retrain("request", "churn", "--reason", "still", "--by", "ann", "--wait")
    assert [line.split(maxsplit=2)[2] for line in done.stderr.splitlines()] == [
        'requested by ann {"reason": "prices changed"}',
        'noted by ann {"asked_again": "still"}',
        'rejected by bob {"cancelled": "not today"}',
    ]
    assert str(done.exception).startswith(f"request {other['id']} of churn is rejected: ")
