"""Payments of a range, each scored at its own time with the amount it brings, against the kernel in memory."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from batch_processing.scoring.score import score
from batch_processing.scoring.window import Window
from data_lake.delta_rs import open_table
from data_lake.delta_tables import create_table
from data_lake.tables import silver, table
from feature_store.columns.derived import service_features
from feature_store.columns.events import Queries
from feature_store.kernel import compute
from ingestion_layer.sources.card_simulator.events import TRANSACTIONS, VERDICTS, transactions, verdicts
from ingestion_layer.sources.card_simulator.payments import Payments
from ml_modeling.registry.answers import answer
from ml_modeling.registry.connection import connect
from ml_modeling.use_case import load_use_case
from tests.cases.card_payments import CARDS, Tables, tables
from tests.cases.lake import append_rows
from tests.integration.batch_processing.scoring.champions import COLD_SCORE, fitted, register, serving
from tests.integration.batch_processing.scoring.conftest import Session
from tidemill.config import Settings
from use_cases.fraud.features import SERVICE

UNIX = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_DAYS = timedelta(days=10)


@pytest.fixture
def cards() -> Tables:
    """Without verdicts of one moment at one terminal, whose order is that of their ids."""
    made = tables()
    pairs = np.unique(np.stack([made.known.terminal, made.known.time]), axis=1, return_index=True)[1]
    chosen = np.sort(pairs)
    return Tables(made.paid, Payments(**{name: values[chosen] for name, values in vars(made.known).items()}))


@pytest.fixture
def lake(settings: Settings, cards: Tables, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    own = settings.model_copy(update={"home": tmp_path_factory.mktemp("cards")})
    for topic, events in ((TRANSACTIONS, transactions(CARDS, cards.paid)), (VERDICTS, verdicts(CARDS, cards.known))):
        create_table(silver(topic), own)
        append_rows(own, silver(topic), map(silver_row, events))
    return own


@pytest.fixture
def champion(settings: Settings, mlflow_server: str) -> Iterator[str]:
    yield register(settings, "fraud", serving("fraud"), fitted("fraud"))
    connect(settings).delete_registered_model("fraud")


def silver_row(event: Mapping[str, Any]) -> dict[str, Any]:
    at = datetime.fromisoformat(event["time"])
    known = {column.name for column in silver(event["type"]).columns}
    data = {name: value for name, value in event["data"].items() if name in known}
    if event["type"] == TRANSACTIONS:
        data["amount"] = Decimal(str(data["amount"]))
    envelope = {"event_id": event["id"], "event_time": at, "event_date": at.date(), "source": "test"}
    lineage = {"_generation": 1, "_digest": 0, "_partition": 0, "_offset": 0, "broker_time": at}
    return {**envelope, **data, **lineage, "ingested_at": at, "event_month": f"{at:%Y-%m}"}


def scores_in_memory(cards: Tables, asked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The score of each payment, and whether anything was known of its customer or terminal before it."""
    times = cards.paid.time[asked]
    values = {"amount": cards.paid.cents[asked] / 100}
    for group in SERVICE.groups:
        values |= compute(group, cards.events(group), Queries(cards.entity(group)[asked], times))
    features = service_features(SERVICE, values, times)
    matrix = np.column_stack([features[name] for name in SERVICE.names])
    found = answer(serving("fraud"), fitted("fraud"), matrix).scores
    is_known = np.array([is_known_before(cards, place) for place in asked.tolist()])
    return np.where(is_known, found, COLD_SCORE), is_known


def is_known_before(cards: Tables, place: int) -> bool:
    paid, known = cards.paid, cards.known
    by_customer = (paid.customer == paid.customer[place]) & (paid.time < paid.time[place])
    at_terminal = (known.terminal == paid.terminal[place]) & (known.time < paid.time[place])
    return bool(by_customer.any() or at_terminal.any())


def test_each_payment_of_a_range_is_scored_at_its_own_time(
    lake: Settings, cards: Tables, champion: str, session: Session
) -> None:
    begin = datetime.combine(CARDS.start, datetime.min.time(), UTC)
    window = Window(begin, begin + FIRST_DAYS)
    done = score(lake, load_use_case("fraud"), window, None, session)

    at = cards.paid.time
    first, end = ((moment - UNIX) // timedelta(microseconds=1) for moment in (window.begin, window.end))
    asked = np.flatnonzero((at >= first) & (at < end))
    expected, is_known = scores_in_memory(cards, asked)
    paid = list(transactions(CARDS, cards.paid))
    keys = [paid[place]["data"]["transaction_id"] for place in asked.tolist()]

    found = {row["row_key"]: row for row in open_table(table("gold/scores"), lake).to_pyarrow_table().to_pylist()}
    assert done.rows == len(found) == len(asked) > 100
    assert {key: found[key]["score"] for key in keys} == dict(zip(keys, expected.tolist(), strict=True))
    assert {key: not found[key]["is_cold_start"] for key in keys} == dict(zip(keys, is_known.tolist(), strict=True))
    assert 0 < int((~is_known).sum()) < len(asked)
    for place, key in zip(asked.tolist(), keys, strict=True):
        row, event = found[key], paid[place]
        assert row["scored_at"] == datetime.fromisoformat(event["time"])
        assert dict(row["entities"]) == {name: event["data"][name] for name in ("customer_id", "terminal_id")}
        assert (row["decision"] is None, row["features_as_of"] is None) == (row["is_cold_start"],) * 2

    again = score(lake, load_use_case("fraud"), window, champion, session)
    assert (again.is_new, again.rows, session.opened) == (False, len(asked), 1)
