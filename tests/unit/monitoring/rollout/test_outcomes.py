"""Outcomes as a Delta table has them, against a naive reading of the same rows."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pytest
from deltalake import write_deltalake

from data_lake.table import Table
from ml_modeling.use_case import UseCase, load_use_case
from monitoring.rollout import outcomes as reading
from monitoring.rollout.contest import Contest, contest
from monitoring.rollout.log import Window
from tests.cases.control_stores import model
from tests.cases.spend_classes import SPEND_CLASSES
from tidemill.config import Settings, load_settings

BEGAN = datetime(2026, 3, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DELAY = timedelta(days=90)
SCHEMA = pa.schema(
    [
        ("source", pa.string()),
        ("event_id", pa.string()),
        ("event_time", pa.timestamp("us", "UTC")),
        ("event_month", pa.string()),
        ("use_case", pa.string()),
        ("model_run_id", pa.string()),
        ("model_id", pa.string()),
        ("arm", pa.string()),
        ("entity", pa.string()),
        ("asked_at", pa.timestamp("us", "UTC")),
        ("due_at", pa.timestamp("us", "UTC")),
        ("is_scored", pa.bool_()),
        ("score", pa.float64()),
        ("value", pa.float64()),
        ("scores", pa.map_(pa.string(), pa.float64())),
        ("label", pa.float64()),
        ("state", pa.string()),
    ]
)
"""The columns of `gold/prediction_outcomes` that a contest reads."""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    declared = Table("gold/prediction_outcomes", "what came true", (), ("event_id",))
    monkeypatch.setattr(reading, "table", lambda _: declared)
    return load_settings({"TIDEMILL_HOME": str(tmp_path)})


def window(use_case: str) -> Window:
    return Window(use_case, [1, 2], BEGAN, model("1"), model("2"))


def row(use_case: str, number: int, arm: str, **changed: Any) -> dict[str, Any]:
    """One known outcome; its order is its number."""
    at = BEGAN + number * MINUTE
    version = "1" if arm == "champion" else "2"
    return {
        "source": "test",
        "event_id": f"e{number}",
        "event_time": at,
        "event_month": f"{at:%Y-%m}",
        "use_case": use_case,
        "model_run_id": f"run-{version}",
        "model_id": f"m-{version}",
        "arm": arm,
        "entity": f"c{number}",
        "asked_at": at,
        "due_at": at + DELAY,
        "is_scored": True,
        "label": 1.0,
        "state": "known",
        **changed,
    }


def write(settings: Settings, rows: Sequence[dict[str, Any]]) -> None:
    """With an outcome of another model that is known so late that those of ``rows`` are settled."""
    late = row(rows[0]["use_case"], 9_999, "champion", model_run_id="run-0", due_at=BEGAN + 2 * DELAY)
    write_all(settings, [*rows, late])


def write_all(
    settings: Settings, rows: Sequence[dict[str, Any]], mode: Literal["append", "overwrite"] = "append"
) -> None:
    place = str(settings.table_path("gold/prediction_outcomes"))
    table = pa.Table.from_pylist(list(rows), schema=SCHEMA)
    write_deltalake(place, table, mode=mode, partition_by=["event_month"])


def naive(losses: Sequence[tuple[str, float]]) -> Contest:
    """Run by run, in the order of the predictions."""
    runs: list[tuple[str, list[float]]] = []
    for arm, loss in losses:
        if not runs or runs[-1][0] != arm:
            runs.append((arm, []))
        runs[-1][1].append(loss)
    if runs and runs[0][0] == "challenger":
        runs = runs[1:]
    pairs = list(zip(runs[::2], runs[1::2], strict=False))
    if len(runs) % 2 == 0:
        pairs = pairs[:-1]  # the last run of the challenger may still grow
    differences = np.array([np.mean(second[1]) - np.mean(first[1]) for first, second in pairs])
    arms = [arm for arm, _ in losses]
    return contest([differences], arms.count("champion"), arms.count("challenger"))


def same(found: Contest | None, other: Contest) -> bool:
    assert found is not None
    numbers = ("difference", "worse", "better")
    assert [getattr(found, name) for name in numbers] == pytest.approx([getattr(other, name) for name in numbers])
    return replace(found, difference=0, worse=0, better=0) == replace(other, difference=0, worse=0, better=0)


@pytest.mark.parametrize("count", [1, 2, 3, 50, 301])
def test_pairs_are_runs_of_the_arms_in_the_order_of_the_predictions(settings: Settings, count: int) -> None:
    random = np.random.default_rng(6)
    use_case = load_use_case("churn")
    arms = random.choice(["champion", "challenger"], count, p=[0.7, 0.3]).tolist()
    scores, labels = random.random(count).tolist(), random.integers(0, 2, count).tolist()
    rows = [
        row("churn", number, arm, score=score, label=float(label))
        for number, (arm, score, label) in enumerate(zip(arms, scores, labels, strict=True))
    ]
    write(settings, [rows[place] for place in random.permutation(count)])
    losses = [(arm, (score - label) ** 2) for arm, score, label in zip(arms, scores, labels, strict=True)]
    assert same(reading.outcomes(settings, use_case, window("churn"), DELAY, None), naive(losses))


def test_only_known_outcomes_of_the_two_models_count_and_each_customer_once_an_arm(settings: Settings) -> None:
    own = [row("churn", number, arm, score=0.5) for number, arm in enumerate(["champion", "challenger"] * 4)]
    others = [
        row("churn", 20, "challenger", score=0.9, label=None),
        row("churn", 21, "challenger", score=0.9, is_scored=False),
        row("churn", 22, "challenger", score=0.9, model_run_id="run-0"),
        row("churn", 23, "champion", score=0.9, model_id=None),
        row("fraud", 24, "champion", score=0.9),
        row("churn", 25, "champion", score=0.9, asked_at=BEGAN - MINUTE),
        row("churn", 26, "champion", score=0.0, entity="c0"),
        row("churn", 27, "challenger", score=0.0, entity="c1"),
    ]
    write(settings, own + others)
    found = reading.outcomes(settings, load_use_case("churn"), window("churn"), DELAY, None)
    assert found == Contest(champion=4, challenger=4, pairs=3, difference=0.0)


def test_what_is_known_early_is_not_counted_before_its_time(settings: Settings) -> None:
    """The challenger is better at frauds, which are told first, and worse at the many others."""
    arms = ["champion", "challenger"] * 200
    labels = np.random.default_rng(2).random(400) < 0.3
    scores = {("champion", True): 0.4, ("challenger", True): 0.9, ("champion", False): 0.1, ("challenger", False): 0.6}
    asked = list(enumerate(zip(arms, labels.tolist(), strict=True)))
    told = {"due_at": BEGAN + timedelta(hours=9)}
    pending = {"state": "pending", "label": None, "due_at": None}
    use_case = load_use_case("churn")
    write_all(
        settings, [row("churn", n, arm, score=scores[arm, bad], **told if bad else pending) for n, (arm, bad) in asked]
    )
    assert reading.outcomes(settings, use_case, window("churn"), DELAY, None) == Contest()
    known = [
        row("churn", n, arm, score=scores[arm, bad], label=float(bad), due_at=BEGAN + 2 * DELAY)
        for n, (arm, bad) in asked
    ]
    write_all(settings, known, "overwrite")
    found = reading.outcomes(settings, use_case, window("churn"), DELAY, None)
    assert found is not None
    assert found.champion == found.challenger == 200
    assert found.is_worse(0.05)
    assert not found.is_better(0.05)


def test_a_shadow_is_the_challenger(settings: Settings) -> None:
    write(settings, [row("churn", number, arm, score=0.5) for number, arm in enumerate(["champion", "shadow"] * 3)])
    found = reading.outcomes(settings, load_use_case("churn"), window("churn"), DELAY, None)
    assert found is not None
    assert (found.champion, found.challenger, found.pairs) == (3, 3, 2)


def spending() -> UseCase:
    return load_use_case("next_spend")


def test_numbers_lose_by_their_absolute_error_in_parts_of_a_large_one(settings: Settings) -> None:
    arms, values = ["champion", "challenger"] * 3, [11.0, 13.0, 8.0, 10.0, 10.0, 900.0]
    said = zip(arms, values, strict=True)
    rows = [row("next_spend", n, arm, value=value, label=10.0) for n, (arm, value) in enumerate(said)]
    write(settings, rows)
    losses = [(arm, min(abs(value - 10.0) / 8.0, 1.0)) for arm, value in zip(arms, values, strict=True)]
    assert same(reading.outcomes(settings, spending(), window("next_spend"), DELAY, 8.0), naive(losses))
    assert reading.outcomes(settings, spending(), window("next_spend"), DELAY, None) is None


def test_classes_lose_by_half_of_briers_score(settings: Settings) -> None:
    names, arms = ("none", "some", "much"), ["champion", "challenger"] * 3
    scores, labels = np.random.default_rng(6).dirichlet([1.0, 1.0, 1.0], 6), [0, 2, 1, 1, 2, 0]
    rows = [
        row("spend_class", n, arm, scores=[*zip(names, said.tolist(), strict=True)], label=float(label))
        for n, (arm, said, label) in enumerate(zip(arms, scores, labels, strict=True))
    ]
    write(settings, rows)
    truths = np.eye(3)[labels]
    losses = [
        (arm, float(((said - truth) ** 2).sum() / 2)) for arm, said, truth in zip(arms, scores, truths, strict=True)
    ]
    assert same(reading.outcomes(settings, SPEND_CLASSES, window("spend_class"), DELAY, None), naive(losses))


def test_without_a_table_nothing_is_known(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    use_case = load_use_case("churn")
    assert reading.outcomes(settings, use_case, window("churn"), DELAY, None) is None
    monkeypatch.undo()
    assert reading.outcomes(settings, use_case, window("churn"), DELAY, None) is None
