"""From a worse champion to a request: once for a model, and again after a rest when the request came to nothing."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from ml_modeling.registry.versions import Version
from ml_modeling.use_case import load_use_case
from monitoring.control import ControlStore, RetrainRequest, Source, State, Suppressed
from monitoring.performance import Reference, Rule, Standing, Verdict, requesting
from monitoring.performance.blocks import Blocks
from monitoring.performance.champion import ChampionStanding, Judgement
from monitoring.performance.reference import TrainedLoss
from monitoring.performance.requesting import ask_of, request
from monitoring.performance.served import ServedLosses
from tests.cases import control_stores
from tests.cases.control_stores import HOUR, SetClock
from tidemill.config import Settings, load_settings

MARCH, JUNE = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
CHURN = load_use_case("churn")
WORSE = Verdict(Standing.WORSE, 900, 5_549, 0.25, 48.5, MARCH + timedelta(days=9), MARCH, 0.05)


def standing(verdict: Verdict = WORSE, run_id: str = "run-1") -> ChampionStanding:
    version = Version(
        name="churn",
        version="3",
        aliases=("champion",),
        run_id=run_id,
        model_id="m-1",
        digest="c0ffee",
        passed_gates=True,
        created_at=MARCH,
        metrics={},
    )
    blocks = Blocks(np.full(900, 0.25), np.ones(900, dtype=np.int64), np.arange(900), 900)
    trained = TrainedLoss(Reference(0.18, 0.16, 0.20))
    return ChampionStanding(version, Judgement(trained, ServedLosses(blocks, JUNE, 7), verdict, Rule()))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"TIDEMILL_HOME": str(tmp_path)})


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def store(tmp_path: Path, clock: SetClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[ControlStore]:
    url = f"sqlite:///{tmp_path / 'control.db'}"
    with ControlStore(url, clock) as store:
        store.prepare()
        monkeypatch.setattr(requesting, "control_store", lambda _: ControlStore(url, clock))
        yield store


def asked(settings: Settings, seen: ChampionStanding | None = None) -> RetrainRequest | Suppressed | None:
    return request(settings, CHURN, seen or standing())


def test_an_ask_has_the_model_and_all_figures() -> None:
    ask = ask_of(CHURN, standing())
    assert ask is not None
    assert (ask.use_case, ask.source, ask.key) == ("churn", Source.PERFORMANCE, "performance/run-1/m-1")
    assert ask.reason == "version 3 loses 0.250 in the mean since 2026-03-01, and at most 0.200 at training"
    assert ask.evidence == {
        "model": {"version": "3", "run_id": "run-1", "model_id": "m-1", "digest": "c0ffee"},
        "standing": "worse",
        "outcomes": 900,
        "outcomes_enough": 4_096 + 2 * (5_549 - 4_096),
        "blocks": 900,
        "blocks_enough": 5_549,
        "mean_loss": 0.25,
        "trained_loss": {"value": 0.18, "low": 0.16, "high": 0.2},
        "largest_error": None,
        "excess": 0.05,
        "since": "2026-03-01T00:00:00+00:00",
        "found_at": "2026-03-10T00:00:00+00:00",
        "evidence": 48.5,
        "alpha": 0.05,
        "asked_before": "2026-06-01T00:00:00+00:00",
        "outcomes_version": 7,
    }


@pytest.mark.parametrize("now", [Standing.FINE, Standing.UNKNOWN])
def test_only_a_worse_champion_asks(settings: Settings, store: ControlStore, now: Standing) -> None:
    assert asked(settings, standing(Verdict(now, 900, 5_549, 0.17, 1.2))) is None
    assert asked(settings, ChampionStanding(standing().champion, None, "no outcome is known")) is None
    assert store.requests.newest() == []


def test_however_often_it_is_found_it_is_one_request(settings: Settings, store: ControlStore, clock: SetClock) -> None:
    first = control_stores.request(asked(settings))
    for _ in range(3):
        clock.jump(6 * HOUR)
        assert control_stores.request(asked(settings)).id == first.id
    (kept,) = store.requests.newest()
    assert (kept.asked, kept.state, len(store.requests.trail(first.id))) == (4, State.REQUESTED, 1)


def rejected(store: ControlStore) -> None:
    held = control_stores.request(store.requests.claim("worker", HOUR))
    store.requests.cancel(held.id, "ann", "no better model was found")


def failed(store: ControlStore) -> None:
    held = control_stores.request(store.requests.claim("worker", HOUR))
    store.requests.advance(held.lease, State.CLAIMED, State.FAILED, {"error": "too little history"})


@pytest.mark.parametrize("end", [rejected, failed], ids=["rejected", "failed"])
def test_one_whose_request_came_to_nothing_rests_and_asks_again(
    settings: Settings, store: ControlStore, clock: SetClock, end: Callable[[ControlStore], None]
) -> None:
    """The champion is worse still, and there is more to learn from than a day ago."""
    first = control_stores.request(asked(settings))
    end(store)
    refusals = []
    for _ in range(3):
        clock.jump(6 * HOUR)
        refusals.append(asked(settings))
    assert [isinstance(refusal, Suppressed) and refusal.why for refusal in refusals] == ["cool_down"] * 3
    clock.jump(CHURN.spec.retraining.cool_down - 18 * HOUR)
    again = control_stores.request(asked(settings))
    assert again.id != first.id
    assert (again.key, again.state, again.asked) == (first.key, State.REQUESTED, 1)


def test_another_champion_is_another_request(settings: Settings, store: ControlStore, clock: SetClock) -> None:
    first = control_stores.request(asked(settings))
    rejected(store)
    clock.jump(CHURN.spec.retraining.cool_down)
    second = control_stores.request(asked(settings, standing(run_id="run-2")))
    assert (first.key, second.key) == ("performance/run-1/m-1", "performance/run-2/m-1")


def test_a_day_has_a_budget(settings: Settings, store: ControlStore) -> None:
    for number in range(CHURN.spec.retraining.per_day):
        store.requests.ask(control_stores.ask(source=Source.PERSON, key=f"{number}"))
    refused = asked(settings)
    assert isinstance(refused, Suppressed)
    assert refused.why == "budget"
