"""The parts of a batch that need no Spark."""

from datetime import UTC, date, datetime
from decimal import Decimal

import orjson
import pyarrow as pa

from stream_processing.spark_streaming.silver.classify import arrow_type, judged
from stream_processing.spark_streaming.silver.summary import BatchSummary, quarantine_files
from tidemill.contracts import checker, contract, event
from tidemill.contracts.columns import data_types

TOPIC = "payment.card_transaction.v1"
AT = datetime(2024, 5, 1, 9, 30, 0, 123456, tzinfo=UTC)
PAYMENT = {"transaction_id": "t", "customer_id": "c", "terminal_id": "k", "amount": 2.5, "currency": "EUR"}
UNSAID = {"terminal_latitude": None, "terminal_longitude": None}


def read(*values: bytes | None) -> pa.StructArray:
    types = {name: arrow_type(kind) for name, kind in data_types(contract(TOPIC)).items()}
    return judged(checker(TOPIC), types, pa.array(values, pa.binary()))


def test_a_batch_has_a_row_for_each_value_a_reason_or_an_event() -> None:
    good = event(contract(TOPIC), "urn:test", "1", AT, PAYMENT)
    found = read(b"{", orjson.dumps(good), None, b"[]")
    assert found.field("reason").to_pylist() == ["not_json", None, "not_json", "not_cloudevent"]
    assert found.field("event_id").to_pylist() == [None, good["id"], None, None]
    assert found.field("event_time").to_pylist() == [None, AT, None, None]
    assert found.field("data").to_pylist()[1] == {**PAYMENT, "amount": Decimal("2.5000")} | UNSAID
    assert found.field("data").to_pylist()[3] == dict.fromkeys(PAYMENT) | UNSAID


def test_a_batch_without_values_has_no_rows() -> None:
    assert read().to_pylist() == []


def test_the_search_is_narrowed_to_the_months_and_days_of_the_batch() -> None:
    summary = BatchSummary(2, 1, ("2024-04", "2024-05"), date(2024, 4, 30), date(2024, 5, 2), (date(2024, 5, 3),))
    assert summary.silver_files() == (
        "t.event_month IN ('2024-04', '2024-05') AND t.event_date BETWEEN DATE'2024-04-30' AND DATE'2024-05-02'"
    )
    assert quarantine_files(summary.ingest_dates) == "t.ingest_date IN (DATE'2024-05-03')"
