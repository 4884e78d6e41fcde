"""The simulated cards beside the data set that the handbook publishes."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from ingestion_layer.sources.card_simulator.cards import PUBLISHED_CUSTOMERS, PUBLISHED_TERMINALS, Cards
from ingestion_layer.sources.card_simulator.ledger import Ledger
from ingestion_layer.sources.card_simulator.payments import Payments
from tidemill.config.settings import REPO

FILE = Path(REPO).parent / "shared" / "data" / "fraud-transactions.parquet"
CARDS = Cards(customers=PUBLISHED_CUSTOMERS, terminals=PUBLISHED_TERMINALS)
WEEKS = range(60, 88)

pytestmark = pytest.mark.skipif(not FILE.is_file(), reason=f"{FILE} is not there")

Columns = dict[str, NDArray[np.float64]]


@pytest.fixture(scope="module")
def published() -> Columns:
    """Four weeks of the file, far enough from its beginning that as many are compromised as ever."""
    names = ["TX_AMOUNT", "TX_TIME_SECONDS", "TX_FRAUD_SCENARIO", "CUSTOMER_ID", "TERMINAL_ID"]
    table = pq.read_table(FILE, columns=names, filters=[("TX_TIME_DAYS", "in", list(WEEKS))])
    amount, second, scenario, customer, terminal = (table[name].to_numpy() for name in names)
    return columns(amount, second, scenario, customer, terminal)


@pytest.fixture(scope="module")
def simulated() -> Columns:
    ledger = Ledger(CARDS)
    paid = Payments.concat([ledger.payments(CARDS.first_day + day) for day in WEEKS])
    return columns(paid.cents / 100, paid.time // 1_000_000, paid.scenario, paid.customer, paid.terminal)


def columns(
    amount: NDArray[np.float64], second: NDArray[np.int64], scenario: NDArray[np.int64], *parties: NDArray[np.int64]
) -> Columns:
    customer, terminal = (np.bincount(party) for party in parties)
    return {
        "genuine amounts": amount[scenario == 0],
        "amounts at compromised terminals": amount[scenario == 2],
        "amounts of leaked cards": amount[scenario == 3],
        "times of the day": (second % 86_400).astype(np.float64),
        "payments of a customer": customer[customer > 0].astype(np.float64),
        "payments at a terminal": terminal[terminal > 0].astype(np.float64),
    }


@pytest.mark.parametrize(
    ("name", "apart"),
    [
        ("genuine amounts", 0.02),
        ("amounts at compromised terminals", 0.06),
        ("amounts of leaked cards", 0.08),
        ("times of the day", 0.01),
        ("payments of a customer", 0.04),
        ("payments at a terminal", 0.04),
    ],
)
def test_the_distribution_is_that_of_the_published_set(
    published: Columns, simulated: Columns, name: str, apart: float
) -> None:
    """By the largest distance between the two distributions (Kolmogorov-Smirnov), in shares."""
    ours, theirs = np.sort(simulated[name]), np.sort(published[name])
    at = np.concatenate([ours, theirs])
    below = [np.searchsorted(values, at, side="right") / len(values) for values in (ours, theirs)]
    assert np.abs(below[0] - below[1]).max() < apart
