"""Several processes at once, on both databases."""

import os
import signal
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from monitoring.control import ControlStore, State
from monitoring.control.schema import VERSION, VERSION_TABLE
from tests.cases.control_processes import all_at_once, at_store, begin, wait_for
from tests.cases.control_stores import NO_LIMITS, ask, request

pytestmark = pytest.mark.loop


@pytest.fixture(params=["sqlite", "postgresql"])
def any_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of a database without a table."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/control.db"
    url: str = request.getfixturevalue("empty_url")
    return url


def test_eight_claimers_get_a_hundred_requests_once_each(any_url: str) -> None:
    with ControlStore(any_url) as store:
        made = {str(request(store.requests.ask(ask(key=str(key)), NO_LIMITS)).id) for key in range(100)}
        claims = [line.split() for line in all_at_once([("claim", any_url, f"worker-{n}") for n in range(2)])]
        assert len(claims) == len(made)
        assert {request_id for request_id, _ in claims} == made
        assert {(str(held.id), held.holder) for held in store.requests.newest()} == {(c[0], c[1]) for c in claims}
        assert {(held.token, held.ordinal, held.state) for held in store.requests.newest()} == {(1, 2, State.CLAIMED)}


def test_processes_that_start_at_once_on_nothing_make_the_tables_and_one_request(any_url: str) -> None:
    asked = all_at_once([("ask", any_url, "50")] * 2)
    assert len(asked) == 100
    assert len(set(asked)) == 1
    with ControlStore(any_url) as store:
        (made,) = store.requests.newest()
        assert (made.asked, len(store.requests.trail(made.id))) == (100, 1)
    engine = create_engine(make_url(any_url))
    with engine.connect() as connection:
        versions = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalars().all()  # noqa: S608
    engine.dispose()
    assert versions == [VERSION]


def test_who_is_killed_within_a_transaction_leaves_nothing_of_it(any_url: str) -> None:
    with ControlStore(any_url) as store:
        made = request(store.requests.ask(ask()))
        with at_store("hang", any_url) as process:
            wait_for(process, "ready")
            begin(process)
            wait_for(process, "in transaction")
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        after = request(store.requests.claim("worker", timedelta(minutes=1)))
        assert (after.id, after.holder, after.token) == (made.id, "worker", 1)
        assert [entry.actor for entry in store.requests.trail(made.id)] == ["monitor_churn", "worker"]
