"""Losses of a model's answers as a Delta table has them, against a naive reading of the same rows."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from deltalake import DeltaTable

from ml_modeling.registry import ModelIdentity
from ml_modeling.use_case import load_use_case
from monitoring.performance.served import served_losses
from tests.cases.spend_classes import SPEND_CLASSES
from tests.unit.monitoring.performance.outcome_rows import (
    BEGAN,
    CHAMPION,
    DAY,
    HORIZON,
    MINUTE,
    late,
    naive_apart,
    row,
    write,
)
from tidemill.config import Settings, load_settings

CHURN, FRAUD = load_use_case("churn"), load_use_case("fraud")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"TIDEMILL_HOME": str(tmp_path)})


def losses(settings: Settings, model: ModelIdentity = CHAMPION) -> list[float]:
    """Of churn, whose labels take 90 days."""
    found = served_losses(settings, CHURN, model, HORIZON, None)
    assert found is not None
    return [float(loss) for loss in found.blocks.means]


def test_they_come_in_the_order_of_the_predictions(settings: Settings) -> None:
    random = np.random.default_rng(1)
    scores, labels = random.random(400), random.integers(0, 2, 400)
    said = enumerate(zip(scores, labels, strict=True))
    rows = [row("churn", number, score=float(score), label=float(label)) for number, (score, label) in said]
    write(settings, [*(rows[place] for place in random.permutation(400)), late("churn", 200)])
    assert losses(settings) == pytest.approx(list((scores - labels) ** 2))
    found = served_losses(settings, CHURN, CHAMPION, HORIZON, None)
    assert found is not None
    assert found.blocks.begins.tolist() == [int((BEGAN + n * MINUTE).timestamp() * 1e6) for n in range(400)]
    assert (found.until, found.table_version) == (BEGAN + timedelta(days=110), 0)


@pytest.mark.parametrize(
    "other",
    [
        {"label": None, "state": "pending"},
        {"label": None, "state": "not_asked"},
        {"is_scored": False},
        {"degraded": ["stale_features"]},
        {"model_run_id": "run-0"},
        {"model_id": "m-0"},
        {"model_id": ""},
        {"use_case": "fraud"},
        {"score": None},
        {"score": float("nan")},
        {"asked_at": BEGAN + 111 * DAY},
    ],
    ids=str,
)
def test_what_is_not_the_champions_own_or_not_known_does_not_count(settings: Settings, other: dict[str, Any]) -> None:
    """Another model under the version number that the champion has is another model."""
    own = [row("churn", number, score=0.5) for number in range(4)]
    write(settings, [*own, row("churn", 4, score=0.9) | other, late("churn", 200)])
    assert losses(settings) == [0.25] * 4


@pytest.mark.parametrize("arm", ["champion", "challenger", "shadow"])
def test_what_the_very_model_said_counts_whichever_arm_it_had(settings: Settings, arm: str) -> None:
    degraded = row("churn", 1, score=0.0, degraded=["unknown_customer"])
    write(settings, [row("churn", 0, score=0.5, arm=arm), degraded, late("churn", 200)])
    assert losses(settings) == [0.25, 1.0]


@pytest.mark.parametrize("days", [1, 17, 90, 400])
def test_of_a_customer_no_two_windows_overlap(settings: Settings, days: int) -> None:
    random = np.random.default_rng(days)
    rows = [
        row("churn", n, entity=f"c{random.integers(9)}", score=float(random.random()), asked_at=BEGAN + float(at) * DAY)
        for n, at in enumerate(random.uniform(0, days, 500))
    ]
    write(settings, [*rows, late("churn", 600)])
    expected = [(kept["score"] - 1) ** 2 for kept in naive_apart(rows, "entity", HORIZON)]
    assert losses(settings) == pytest.approx(expected)


def test_of_an_event_the_first_answer_counts_and_of_a_card_every_event(settings: Settings) -> None:
    random = np.random.default_rng(3)
    rows = [
        row("fraud", n, entity="card", event_key=f"p{random.integers(40)}", score=float(random.random()))
        for n in range(90)
    ]
    write(settings, [*(rows[place] for place in random.permutation(90)), late("fraud", 200)])
    found = served_losses(settings, FRAUD, CHAMPION, timedelta(days=30), None)
    assert found is not None
    expected = [(kept["score"] - 1) ** 2 for kept in naive_apart(rows, "event_key", None)]
    assert found.blocks.means == pytest.approx(expected)


def test_nothing_counts_that_is_younger_than_what_the_lake_knows_less_the_delay(settings: Settings) -> None:
    """Whatever the clock says: verdicts that have not been joined yet, or do not arrive, may be the slow ones."""
    rows = [row("fraud", day, event_key=f"p{day}", score=0.5, asked_at=BEGAN + day * DAY) for day in range(50)]
    known = [answer | {"due_at": answer["asked_at"] + DAY} for answer in rows]
    young = row("fraud", 60, event_key="p60", score=0.5, asked_at=BEGAN + 60 * DAY, label=None, state="pending")
    write(settings, [*known, young | {"due_at": None}])
    found = served_losses(settings, FRAUD, CHAMPION, timedelta(days=30), None)
    assert found is not None
    assert (found.until, found.blocks.losses) == (BEGAN + 20 * DAY, 20)


def test_a_corrected_outcome_counts_as_it_is_now(settings: Settings) -> None:
    write(settings, [*(row("churn", number, score=0.25) for number in range(3)), late("churn", 200)])
    assert losses(settings) == [0.5625] * 3
    place = DeltaTable(str(settings.table_path("gold/prediction_outcomes")))
    place.update(updates={"label": "0.0"}, predicate="event_id = 'e000001'")
    assert losses(settings) == [0.5625, 0.0625, 0.5625]


def test_numbers_lose_by_their_absolute_error_in_parts_of_a_large_one(settings: Settings) -> None:
    spend = load_use_case("next_spend")
    values = [11.0, 13.0, 8.0, 900.0]
    rows = [row("next_spend", n, value=value, label=10.0) for n, value in enumerate(values)]
    write(settings, [*rows, late("next_spend", 200)])
    found = served_losses(settings, spend, CHAMPION, timedelta(days=60), 8.0)
    assert found is not None
    assert found.blocks.means.tolist() == [0.125, 0.375, 0.25, 1.0]


def test_classes_lose_by_half_of_briers_score(settings: Settings) -> None:
    names, labels = ("none", "some", "much"), [0, 2, 1, 1, 2, 0]
    scores = np.random.default_rng(6).dirichlet([1.0, 1.0, 1.0], 6)
    said = enumerate(zip(scores.tolist(), labels, strict=True))
    rows = [
        row("spend_class", n, scores=[*zip(names, chances, strict=True)], label=float(label))
        for n, (chances, label) in said
    ]
    write(settings, [*rows, late("spend_class", 200)])
    found = served_losses(settings, SPEND_CLASSES, CHAMPION, timedelta(days=60), None)
    assert found is not None
    assert found.blocks.means == pytest.approx(((scores - np.eye(3)[labels]) ** 2).sum(axis=1) / 2)


def test_without_an_outcome_of_the_use_case_nothing_is_known(settings: Settings) -> None:
    assert served_losses(settings, CHURN, CHAMPION, HORIZON, None) is None
    pending = row("churn", 0, score=0.5, label=None, state="pending")
    write(settings, [pending, late("fraud", 200)])
    assert served_losses(settings, CHURN, CHAMPION, HORIZON, None) is None
    write(settings, [pending, late("churn", 200)])
    other = served_losses(settings, CHURN, CHAMPION.model_copy(update={"run_id": "run-7"}), HORIZON, None)
    assert other is not None
    assert other.blocks.losses == 0
