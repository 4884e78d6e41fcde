"""What a state estimates is judged by what it may be off, what it holds exactly by the value itself."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random

import numpy as np
import pytest

from data_lake.delta_tables import create_table
from data_lake.tables import silver
from feature_store.columns.derived import service_features
from feature_store.columns.events import Column, Events
from feature_store.consistency.check import FeatureConsistency, measure
from feature_store.definitions import Derived, Entity, FeatureGroup, FeatureService, Product, Source, column, days
from feature_store.tiles import Layout, apply
from feature_store.tiles.merge import Plan, merge
from tests.cases.lake import append_rows
from tests.cases.predictions import silver_prediction
from tests.cases.transactions import Line, silver_row
from tidemill.config import Settings, load_settings

TRANSACTIONS, PREDICTIONS = silver("shop.transaction.v1"), silver("serving.prediction.v1")
amount, quantity = column("amount"), column("quantity")
SPENDING = FeatureGroup(
    name="spending",
    entity=Entity("customer", "customer_id"),
    source=Source("silver/transactions", computed=(Product("amount", "quantity", "unit_price"),)),
    windows=(days(1), days(20)),
    aggregations=(amount.quantiles(0.5, 0.9), amount.mean()),
)
TO_MEDIAN = Derived("mean_to_median", SPENDING["amount_mean_20d"] / SPENDING["amount_p50_20d"])
SERVICE = FeatureService("spending", (*SPENDING.features, TO_MEDIAN))
NOW = datetime(2024, 5, 31, 12, 30, tzinfo=UTC)
Values = dict[str, float | None]


def lines(number: int, newest: timedelta, oldest: timedelta) -> list[Line]:
    """``number`` lines of different prices, evenly from ``oldest`` to ``newest`` before now."""
    prices = Random(number).sample(range(10_000, 900_000), number)
    step = (oldest - newest) / (number - 1)
    return [
        Line(NOW - oldest + step * place, "c1", f"o{place}", "p", 1, Decimal(price).scaleb(-4))
        for place, price in enumerate(prices)
    ]


MANY = lines(3_000, timedelta(hours=1), timedelta(days=15))
FEW = lines(512, timedelta(hours=1), timedelta(days=15))
ONCE_MANY = sorted(
    lines(2_000, timedelta(days=20, hours=5), timedelta(days=25)) + lines(90, timedelta(hours=1), timedelta(days=10)),
    key=lambda line: line.at,
)
"""More than a state holds came within twenty days once; in the last twenty are 223."""


def micros(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def answer(history: list[Line]) -> Values:
    """What the state says of c1 after eleven commits."""
    layout = Layout.of(SPENDING)
    state: list[bytes | None] = [None]
    for version, chosen in enumerate(np.array_split(np.arange(len(history)), 11)):
        times = np.array([micros(history[place].at) for place in chosen])
        numbers = np.array([float(history[place].value) for place in chosen])
        rows = Events(
            np.zeros_like(chosen),
            times,
            chosen.astype(np.uint64),
            {"amount": Column(numbers, np.ones(len(chosen), dtype=np.bool_))},
        )
        state = [*apply(layout, state, rows, np.full(len(chosen), version), int(times[-1]) + 120_000_000)]
    at = np.array([micros(NOW)])
    found = service_features(SERVICE, merge(Plan.of(layout), state, at).features, at)
    return {name: float(values[0]) for name, values in found.items()}


def judged(folder: Path, history: list[Line], features: Values) -> Mapping[str, FeatureConsistency]:
    settings: Settings = load_settings({"TIDEMILL_HOME": str(folder)})
    create_table(TRANSACTIONS, settings)
    create_table(PREDICTIONS, settings)
    append_rows(settings, TRANSACTIONS, [silver_row(line) for line in history])
    append_rows(settings, PREDICTIONS, [silver_prediction("a", SERVICE, ("customer_id", "c1"), NOW, 1, features)])
    found = measure(settings, SERVICE, NOW - timedelta(hours=1), NOW + timedelta(hours=1))
    assert found.fetches == 1
    return {feature.feature: feature for feature in found.features}


def of_rank(history: list[Line], share: float) -> float:
    """The value of which this share of the lines of the last twenty days are no dearer."""
    values = sorted(float(line.value) for line in history if line.at >= NOW.replace(hour=0, minute=0) - timedelta(20))
    return values[round(len(values) * share) - 1]


@pytest.mark.parametrize("history", [MANY, FEW, ONCE_MANY], ids=["many", "few", "once many"])
def test_what_a_state_answers_is_right(tmp_path: Path, history: list[Line]) -> None:
    found = judged(tmp_path, history, answer(history))
    assert {name for name, feature in found.items() if not feature.matched} == set()


@pytest.mark.parametrize(
    ("history", "change", "is_right"),
    [
        (MANY, lambda: of_rank(MANY, 0.51), True),
        (MANY, lambda: of_rank(MANY, 0.49), True),
        (MANY, lambda: of_rank(MANY, 0.55), False),
        (MANY, lambda: of_rank(MANY, 0.45), False),
        (ONCE_MANY, lambda: of_rank(ONCE_MANY, 0.55), False),
        (FEW, lambda: of_rank(FEW, 0.5), True),
        (FEW, lambda: of_rank(FEW, 257 / 512), False),
        (FEW, lambda: of_rank(FEW, 255 / 512), False),
    ],
    ids=["1 % above", "1 % below", "5 % above", "5 % below", "5 % of what is left", "exact", "next", "one before"],
)
def test_a_median_is_judged_by_its_rank(
    tmp_path: Path, history: list[Line], change: Callable[[], float], is_right: bool
) -> None:
    values = answer(history) | {"spending__amount_p50_20d": change()}
    feature = judged(tmp_path, history, values)["spending__amount_p50_20d"]
    assert (feature.matched, feature.mismatched) == (int(is_right), int(not is_right))


def test_what_is_derived_of_an_estimate_is_judged_by_what_that_may_be(tmp_path: Path) -> None:
    values = answer(MANY)
    mean = values["spending__amount_mean_20d"]
    assert mean is not None
    for share, is_right in ((0.51, True), (0.56, False)):
        found = judged(tmp_path / str(share), MANY, values | {TO_MEDIAN.name: mean / of_rank(MANY, share)})
        assert found[TO_MEDIAN.name].matched == is_right
