"""A lease that is renewed in the background."""

import sqlite3
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest

from monitoring.control import ControlStore, ControlStoreAwayError, Lease, LeaseLostError, State, database
from monitoring.retraining.lease import held
from tests.cases.control_stores import ask, request

SHORT = timedelta(seconds=0.3)
LONG = timedelta(seconds=2)
"""A machine that others use as well may let a thread wait for a second."""


@pytest.fixture
def lease(store: ControlStore) -> Lease:
    request(store.requests.ask(ask()))
    return request(store.requests.claim("first", LONG)).lease


def test_a_lease_is_longer_than_its_duration_while_its_holder_works(store: ControlStore, lease: Lease) -> None:
    with held(store, lease, LONG) as keeper:
        for _ in range(6):
            time.sleep(0.5)
            assert store.requests.claim("second", LONG) is None
        assert keeper.renew().token == lease.token


def test_one_that_is_lost_already_begins_nothing(store: ControlStore, lease: Lease) -> None:
    store.requests.cancel(lease.request_id, "ann", "no need")
    with pytest.raises(LeaseLostError, match="is rejected"), held(store, lease, SHORT):
        raise AssertionError("began")


def test_who_works_in_the_main_thread_is_stopped_wherever_it_is(store: ControlStore, lease: Lease) -> None:
    with pytest.raises(LeaseLostError, match="is rejected"), held(store, lease, SHORT):
        store.requests.cancel(lease.request_id, "ann", "no need")
        time.sleep(60)


def test_who_works_in_another_thread_learns_of_it_when_it_looks(store: ControlStore, lease: Lease) -> None:
    said: list[str] = []

    def work() -> None:
        with held(store, lease, SHORT) as keeper:
            store.requests.cancel(lease.request_id, "ann", "no need")
            while True:
                time.sleep(0.05)
                try:
                    keeper.check()
                except LeaseLostError as error:
                    said.append(str(error))
                    return

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(60)
    assert said == [f"request {lease.request_id} is rejected: nobody moves it any more"]


def test_a_request_that_its_holder_finished_was_not_lost(store: ControlStore, lease: Lease) -> None:
    with held(store, lease, SHORT) as keeper:
        keeper.advance(State.CLAIMED, State.FAILED, {"error": "no rows"})
        time.sleep(0.5)
        keeper.check()
    assert store.requests.get(lease.request_id).state is State.FAILED


def test_a_request_that_was_handed_over_is_free_and_was_not_lost(store: ControlStore, lease: Lease) -> None:
    with held(store, lease, SHORT) as keeper:
        keeper.advance(State.CLAIMED, State.TRAINED, {})
        keeper.advance(State.TRAINED, State.GATED, {})
        handed = keeper.hand_over(State.GATED, State.CANARY, {"version": "3"})
        time.sleep(0.5)
        keeper.check()
    assert (handed.state, handed.holder, handed.progress["canary"]) == (State.CANARY, None, {"version": "3"})


def test_a_store_that_is_away_for_a_while_takes_no_lease_from_who_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its file is another's meanwhile: a transaction of somebody else holds it for longer than one waits."""
    monkeypatch.setattr(database, "BUSY_S", 0.1)
    with ControlStore(f"sqlite:///{tmp_path}/control.db") as store:
        request(store.requests.ask(ask()))
        lease = request(store.requests.claim("first", LONG)).lease
        with held(store, lease, SHORT) as keeper:
            with sqlite3.connect(tmp_path / "control.db", isolation_level=None) as other:
                other.execute("BEGIN IMMEDIATE")
                with pytest.raises(ControlStoreAwayError):
                    keeper.renew()
                time.sleep(0.5)
                other.execute("COMMIT")
            assert keeper.renew().holder == "first"
