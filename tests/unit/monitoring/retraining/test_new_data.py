"""When new rows are reason enough to train; the registry and the lake are played, the control store is SQLite."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ml_modeling.lifecycle import ROWS
from ml_modeling.specification import Retraining
from ml_modeling.use_case import UseCase, load_use_case
from monitoring.control import ControlStore, Limits, RetrainRequest, State
from monitoring.retraining import new_data as counting
from monitoring.retraining.new_data import NewData, ask_of, new_data
from tests.cases.control_stores import HOUR, SetClock, request
from tidemill.config import load_settings

TABLE = "silver/transactions"
A_DAYS_ROWS, ENOUGH = 1_000, 10_000


def run(run_id: str, day: int, rows: int | None) -> Any:
    """A training run of that day, with the rows that the table had; None: it noted none."""
    params = {} if rows is None else {f"{ROWS}{TABLE}": str(rows)}
    return SimpleNamespace(info=SimpleNamespace(run_id=run_id, start_time=day), data=SimpleNamespace(params=params))


class Shop:
    """A champion of day 0, the newest judged run, and a table that grows."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.champion: Any = SimpleNamespace(version="3", run_id="champions")
        self.champions, self.judged, self.rows = run("champions", 0, 0), None, 0
        existing = SimpleNamespace(read=lambda: self.champions)
        monkeypatch.setattr(counting, "behind_alias", lambda *_: self.champion)
        monkeypatch.setattr(counting, "existing_run", lambda *_: existing)
        monkeypatch.setattr(counting, "newest_judged", lambda *_: self.judged)
        monkeypatch.setattr(counting, "open_table", lambda *_: None)
        monkeypatch.setattr(counting, "rows", lambda _: self.rows)


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Shop:
    return Shop(monkeypatch)


@pytest.fixture
def churn() -> UseCase:
    declared = load_use_case("churn")
    return replace(declared, spec=declared.spec.model_copy(update={"retraining": Retraining(new_rows=ENOUGH)}))


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def store(tmp_path: Path, clock: SetClock) -> Iterator[ControlStore]:
    with ControlStore(f"sqlite:///{tmp_path}/control.db", clock) as opened:
        yield opened


def refuse(store: ControlStore) -> None:
    """The request is worked off, and the gates say no."""
    lease = request(store.requests.claim("worker", HOUR)).lease
    for before, after in ((State.CLAIMED, State.TRAINED), (State.TRAINED, State.GATED), (State.GATED, State.REJECTED)):
        store.requests.advance(lease, before, after)


def test_what_a_refused_model_learnt_from_is_not_new_any_more(
    shop: Shop, churn: UseCase, store: ControlStore, clock: SetClock
) -> None:
    """A thousand rows a day, ten thousand are enough: in 35 days three trainings, though each is refused."""
    trained = []
    for day in range(1, 36):
        shop.rows += A_DAYS_ROWS
        clock.jump(timedelta(days=1, minutes=1))
        ask = ask_of(churn, new_data(load_settings({}), churn), "monitor")
        if ask is not None and isinstance(store.requests.ask(ask, Limits()), RetrainRequest):
            refuse(store)
            shop.judged = run(f"of day {day}", day, shop.rows)
            trained.append(day)
    assert trained == [10, 20, 30]


def test_the_reason_names_the_training_that_is_counted_from(shop: Shop, churn: UseCase) -> None:
    shop.judged, shop.rows = run("refused", 1, 500), 12_500
    found = new_data(load_settings({}), churn)
    assert found == NewData("3", "refused", {TABLE: 12_000})
    ask = ask_of(churn, found, "monitor")
    assert ask is not None
    assert ask.reason == "12,000 rows came since run refused was trained, the newest that was judged; 10,000 are enough"
    assert ask.evidence == {"champion": "3", "run_id": "refused", "rows": {TABLE: 12_000}, "enough": ENOUGH}


def test_a_champion_that_is_newer_than_all_that_was_judged_counts(shop: Shop, churn: UseCase) -> None:
    shop.champions, shop.judged, shop.rows = run("champions", 2, 700), run("before", 1, 500), 1_000
    assert new_data(load_settings({}), churn) == NewData("3", "champions", {TABLE: 300})


def test_where_nobody_knows_nothing_is_asked_for(shop: Shop, churn: UseCase) -> None:
    shop.judged, shop.rows = run("without counts", 1, None), 90_000
    assert new_data(load_settings({}), churn) is None
    shop.champion = None
    assert new_data(load_settings({}), churn) is None
    assert ask_of(churn, None, "monitor") is None
