"""Predictions that a correction would have changed, and answers judged, on a lake that delta-rs wrote."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from data_lake.commits import table_id
from data_lake.delta_rs import open_table
from data_lake.delta_tables import create_table
from data_lake.log import CommitsGoneError
from data_lake.tables import silver
from feature_store.consistency.check import measure
from feature_store.consistency.corrections import Correction
from feature_store.definitions import FeatureGroup
from feature_store.judge.corrected import affected
from tests.cases.lake import append_rows
from tests.cases.naive_windows import Happened, naive_value
from tests.cases.predictions import silver_prediction
from tests.cases.transactions import Line, random_lines, silver_row
from tidemill.config import Settings, load_settings
from use_cases.churn.features import PURCHASES, RETURNS, SERVICE

TRANSACTIONS, PREDICTIONS = silver("shop.transaction.v1"), silver("serving.prediction.v1")
NOW = datetime.now(UTC)
ASKED = NOW + timedelta(seconds=1)
CUSTOMERS = [f"c{number}" for number in range(8)]
LINES = random_lines(Random(1), 200, (NOW - timedelta(days=100)).date(), 100)


@pytest.fixture
def lake(tmp_path: Path) -> Settings:
    """Two hundred lines, a prediction about each customer, then c2's lines doubled and c1's deleted."""
    settings = load_settings({"TIDEMILL_HOME": str(tmp_path)})
    create_table(TRANSACTIONS, settings)
    create_table(PREDICTIONS, settings)
    append_rows(settings, TRANSACTIONS, [silver_row(line) | {"ingested_at": NOW} for line in LINES])
    append_rows(settings, PREDICTIONS, [prediction(customer, version=1) for customer in CUSTOMERS])
    open_table(TRANSACTIONS, settings).update({"quantity": "quantity * 2"}, predicate="customer_id = 'c2'")
    open_table(TRANSACTIONS, settings).delete("customer_id = 'c1'")
    return settings


def prediction(customer: str, version: int, factor: int = 1) -> Mapping[str, Any]:
    """An answer with the group's features as the loop over ``LINES`` says, ``factor`` times that."""
    values = {
        feature.name: value and value * factor
        for group in SERVICE.groups
        for feature in group.features
        for value in [naive_value(feature, history(customer), 0, micros(ASKED))]
    }
    return silver_prediction(
        f"{customer}-{version}-{factor}", SERVICE, ("customer_id", customer), ASKED, version, values
    )


def history(customer: str) -> list[Happened]:
    return [
        Happened(0, micros(line.at), number, columns(line), 0)
        for number, line in enumerate(LINES)
        if line.customer_id == customer
    ]


def columns(line: Line) -> dict[str, Any]:
    amount = float(line.quantity * line.unit_price)
    return {"kind": line.kind, "amount": amount, "order_id": line.order_id, "product_id": line.product_id}


def micros(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def correction(lake: Settings, group: FeatureGroup, version: int) -> Correction:
    at = NOW + timedelta(hours=1)
    return Correction(
        at, group.name, group.fingerprint, TRANSACTIONS.name, table_id(TRANSACTIONS, lake), version, "UPDATE", 1, 1
    )


@pytest.mark.parametrize(
    ("group", "version", "different"),
    [(PURCHASES, 2, 1), (RETURNS, 2, 0), (PURCHASES, 3, 1), (RETURNS, 3, 1)],
    ids=["doubled", "doubled, which no count of returns shows", "deleted", "deleted, returns"],
)
def test_a_correction_changes_the_predictions_of_those_it_touched(
    lake: Settings, group: FeatureGroup, version: int, different: int
) -> None:
    assert affected(lake, correction(lake, group, version), timedelta(days=1), 100).different == different


def test_no_more_predictions_are_looked_at_than_wanted(lake: Settings) -> None:
    assert affected(lake, correction(lake, PURCHASES, 3), timedelta(days=1), 3).looked_at == 3


def test_a_correction_of_which_the_files_are_gone_is_not_guessed(lake: Settings) -> None:
    open_table(TRANSACTIONS, lake).vacuum(0, dry_run=False, enforce_retention_duration=False)
    with pytest.raises(CommitsGoneError, match="is gone"):
        affected(lake, correction(lake, PURCHASES, 2), timedelta(days=1), 100)


def test_answers_are_judged_by_silver_at_their_version(lake: Settings) -> None:
    found = measure(lake, SERVICE, NOW - timedelta(hours=1), NOW + timedelta(hours=1))
    logged = {feature.name for group in SERVICE.groups for feature in group.features}
    assert (found.fetches, found.rate, found.behind) == (len(CUSTOMERS), 0, 0)
    assert {feature.feature for feature in found.features} == logged

    append_rows(lake, PREDICTIONS, [prediction("c1", version=3), prediction("c3", version=3, factor=2)])
    found = measure(lake, SERVICE, NOW - timedelta(hours=1), NOW + timedelta(hours=1))
    spent = next(feature for feature in found.features if feature.feature == "purchases__amount_sum_90d")
    assert {(row["customer_id"], row["kind"]) for row in spent.worst} == {("c1", "mismatched"), ("c3", "mismatched")}
