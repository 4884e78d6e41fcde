"""How a champion stands, over the whole reading: false alarms, what is found, and what nobody knows."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ml_modeling.registry.versions import Version
from ml_modeling.tracking.runs import UnusableRunError
from ml_modeling.use_case import UseCase, load_use_case
from monitoring.performance import Rule, Standing
from monitoring.performance import champion as judging
from monitoring.performance.champion import ChampionStanding, standing_of_champion
from tests.unit.monitoring.performance.outcome_rows import BEGAN, CHAMPION, DAY, HORIZON, late, row, write
from tidemill.config import Settings, load_settings

CHURN, FRAUD = load_use_case("churn"), load_use_case("fraud")
VERSION = Version(
    name="churn",
    version="3",
    aliases=("champion",),
    **CHAMPION.model_dump(),
    passed_gates=True,
    created_at=datetime(2026, 2, 1, tzinfo=UTC),
    metrics={},
)
BRIER = {"test.brier": 0.18, "test.brier.low": 0.16, "test.brier.high": 0.20}
SLOWEST = 30


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"TIDEMILL_HOME": str(tmp_path)})


@pytest.fixture
def metrics(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """Those of the champion's run, in the place of MLflow, which needs a server."""
    data = SimpleNamespace(metrics=dict(BRIER), params={"period.embargo_days": str(SLOWEST)})
    monkeypatch.setattr(judging, "behind_alias", lambda *_: VERSION)
    monkeypatch.setattr(judging, "existing_run", lambda *_: SimpleNamespace(read=lambda: SimpleNamespace(data=data)))
    return data.metrics


def seen(settings: Settings, use_case: UseCase, rows: Sequence[dict[str, Any]], known_days: float) -> ChampionStanding:
    write(settings, [*rows, late(use_case.name, known_days)])
    standing = standing_of_champion(settings, use_case)
    assert standing is not None
    return standing


def coin(random: np.random.Generator, mean: float) -> dict[str, float]:
    """An answer that was surely right or surely wrong."""
    return {"score": 1.0, "label": 0.0 if random.random() < mean else 1.0}


def asked_daily(random: np.random.Generator, means: Sequence[float]) -> list[dict[str, Any]]:
    """Customers who are asked about every sixth day, whose outcomes of one season are the same."""
    rows = []
    for customer in range(60):
        for season, mean in enumerate(means):
            said = coin(random, mean)
            days = [90 * season + day for day in range(0, 90, 6)]
            rows += [
                row("churn", 100_000 * customer + day, entity=f"c{customer}", asked_at=BEGAN + day * DAY, **said)
                for day in days
            ]
    return rows


def test_customers_who_are_asked_every_day_make_no_good_model_worse(
    settings: Settings, metrics: dict[str, float]
) -> None:
    """By themselves the losses of a season are fifteen times the same: who counts them all is wrong much more often."""
    random, runs, alarms, of_all = np.random.default_rng(1), 20, 0, 0
    for _ in range(runs):
        rows = asked_daily(random, [0.2] * 4)
        verdict = seen(settings, CHURN, rows, 600)
        alarms += verdict.standing is Standing.WORSE
        every = np.array([(answer["score"] - answer["label"]) ** 2 for answer in in_order(rows)])
        times = [answer["asked_at"] for answer in in_order(rows)]
        of_all += judging.judge(every, times, verdict.judgement.trained.reference).standing is Standing.WORSE
    assert alarms <= 0.05 * runs + 2 * np.sqrt(0.05 * 0.95 * runs)
    assert of_all > runs / 3


def in_order(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda answer: (answer["asked_at"], answer["event_id"]))


def test_customers_who_are_asked_every_day_show_a_worse_model(settings: Settings, metrics: dict[str, float]) -> None:
    random, runs, found = np.random.default_rng(2), 10, 0
    for _ in range(runs):
        standing = seen(settings, CHURN, asked_daily(random, [0.15, 0.15, 0.5, 0.5]), 600)
        found += standing.standing is Standing.WORSE
        if standing.standing is Standing.WORSE:
            assert standing.judgement.verdict.since >= BEGAN + 90 * DAY
    assert found >= 0.9 * runs


def payments(random: np.random.Generator, count: int, frauds: float, at: float) -> list[dict[str, Any]]:
    """A verdict on fraud comes within 10 days, that all was well after 20 to 30: what is known at day ``at``."""
    rows = []
    for number, day in enumerate(np.sort(random.uniform(0, 120, count))):
        is_fraud = random.random() < frauds
        due = day + (random.uniform(0, 10) if is_fraud else random.uniform(20, SLOWEST))
        is_known = due <= at
        rows.append(
            row(
                "fraud",
                number,
                event_key=f"p{number}",
                asked_at=BEGAN + float(day) * DAY,
                score=0.2,
                label=float(is_fraud) if is_known else None,
                state="known" if is_known else "pending",
                due_at=BEGAN + float(due) * DAY if is_known else None,
            )
        )
    return rows


def test_frauds_that_are_told_first_make_no_good_model_worse(settings: Settings, metrics: dict[str, float]) -> None:
    mean = 0.05 * 0.64 + 0.95 * 0.04
    metrics.update({"test.brier": mean, "test.brier.low": mean * 0.9, "test.brier.high": mean * 1.1})
    random, runs, alarms = np.random.default_rng(3), 30, 0
    for _ in range(runs):
        rows = payments(random, 1_500, 0.05, 100.0)
        alarms += seen(settings, FRAUD, rows, 100).standing is Standing.WORSE
    assert alarms <= 0.05 * runs + 2 * np.sqrt(0.05 * 0.95 * runs)
    assert seen(settings, FRAUD, payments(random, 1_500, 0.15, 100.0), 100).standing is Standing.WORSE


def test_the_same_outcomes_say_the_same_and_more_of_them_do_not_take_it_back(
    settings: Settings, metrics: dict[str, float]
) -> None:
    random = np.random.default_rng(4)
    bad = [row("churn", number, **coin(random, 0.6)) for number in range(300)]
    good = [row("churn", number, **coin(random, 0.0)) for number in range(300, 3_000)]
    first = seen(settings, CHURN, bad, 200)
    again = standing_of_champion(settings, CHURN)
    assert (again.judgement.verdict, again.judgement.served.until) == (
        first.judgement.verdict,
        first.judgement.served.until,
    )
    later = seen(settings, CHURN, [*bad, *good], 200)
    assert (first.standing, later.standing) == (Standing.WORSE, Standing.WORSE)
    assert later.judgement.verdict.found_at == first.judgement.verdict.found_at
    assert later.judgement.outcomes == 3_000


def test_a_correction_of_the_outcomes_is_a_correction_of_the_verdict(
    settings: Settings, metrics: dict[str, float]
) -> None:
    wrong = [row("churn", number, score=1.0, label=0.0) for number in range(200)]
    assert seen(settings, CHURN, wrong, 200).standing is Standing.WORSE
    right = [answer | {"label": 1.0} for answer in wrong]
    assert seen(settings, CHURN, right, 200).standing is Standing.UNKNOWN


def test_fine_is_said_when_there_is_enough(settings: Settings, metrics: dict[str, float]) -> None:
    random = np.random.default_rng(6)
    rows = [row("churn", number, **coin(random, 0.15)) for number in range(8_000)]
    fine = seen(settings, CHURN, rows, 200)
    assert (fine.standing, fine.why) == (Standing.FINE, "")
    enough = fine.judgement.outcomes_enough
    wrong = sum((answer["score"] - answer["label"]) ** 2 for answer in rows[: fine.judgement.outcomes])
    assert fine.judgement.verdict.mean == pytest.approx(wrong / 8_000, abs=1e-3)
    few = seen(settings, CHURN, rows[: enough - 1], 200)
    assert few.standing is Standing.UNKNOWN
    assert few.why == f"{enough - 1:,} outcomes count, and it takes {enough:,} to say that it is fine"


def test_what_nobody_knows_is_one_sentence(
    settings: Settings, metrics: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = standing_of_champion(settings, CHURN)
    assert nothing == ChampionStanding(
        VERSION, None, "no outcome of churn is known: `tidemill models outcomes churn` joins what there is"
    )
    metrics.clear()
    unmeasured = seen(settings, CHURN, [], 200)
    assert unmeasured.why == (
        "run run-1 has no metric test.brier, test.brier.low, test.brier.high; "
        "`tidemill models evaluate churn --run run-1` measures its test part again"
    )

    def gone(*_: object) -> None:
        raise UnusableRunError("no run run-1")

    monkeypatch.setattr(judging, "existing_run", gone)
    assert seen(settings, CHURN, [], 200).why == "no run run-1"
    monkeypatch.setattr(judging, "behind_alias", lambda *_: VERSION.model_copy(update={"run_id": ""}))
    assert seen(settings, CHURN, [], 200).why == "version 3 of churn was registered without a training run"
    monkeypatch.setattr(judging, "behind_alias", lambda *_: None)
    assert standing_of_champion(settings, CHURN) is None


def test_alpha_is_that_of_the_rule(settings: Settings, metrics: dict[str, float]) -> None:
    write(settings, [*(row("churn", n, score=1.0, label=float(n % 3 > 0)) for n in range(200)), late("churn", 200)])
    by_alpha = [standing_of_champion(settings, CHURN, Rule(alpha)) for alpha in (0.05, 1e-6)]
    assert [standing.standing for standing in by_alpha if standing] == [Standing.WORSE, Standing.UNKNOWN]
    assert by_alpha[0].judgement.served.until == BEGAN + timedelta(days=200) - HORIZON
