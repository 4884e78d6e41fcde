"""Messages in Arrow's columns become silver's columns, or a reason, whatever the batch is."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_lake.tables import silver_columns
from stream_processing.spark_streaming.silver.judging import MESSAGE_SCHEMA
from stream_processing.spark_streaming.silver.parse import TIME, Parser, TimeRule
from tests.integration.stream_processing.conftest import TOPIC, encode, transaction
from tidemill.contracts import contract

BROKER_TIME = datetime(2024, 5, 2, 12, 0, tzinfo=UTC)
PARSER = Parser(contract(TOPIC), TimeRule(date(2000, 1, 1), 86_400.5))


def rows(values: Sequence[bytes | None]) -> pa.RecordBatch:
    made = [
        {
            "topic": TOPIC,
            "partition": 1,
            "offset": offset,
            "broker_time": BROKER_TIME,
            "key": b"k",
            "value": value,
            "headers": [{"key": "h", "value": None}],
            "ingested_at": BROKER_TIME,
            "ingest_date": BROKER_TIME.date(),
            "generation": None if offset % 2 else 3,
        }
        for offset, value in enumerate(values)
    ]
    return pa.RecordBatch.from_pylist(made, schema=MESSAGE_SCHEMA)


def parsed(*values: bytes | None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = PARSER.parse(rows(values)).to_pylist()
    return found


def test_a_good_event_has_silvers_columns_and_no_message() -> None:
    (row,) = parsed(encode(transaction("one", "2024-05-01T23:30:00.123456-02:30")))
    assert [name for name in row if not name.startswith(("_message_", "_reason", "_detail"))] == [
        column.name for column in silver_columns(contract(TOPIC))
    ]
    assert row["event_time"] == datetime(2024, 5, 2, 2, 0, 0, 123456, tzinfo=UTC)
    assert (row["event_date"], row["event_month"]) == (date(2024, 5, 2), "2024-05")
    assert (row["_generation"], row["_partition"], row["_offset"]) == (3, 1, 0)
    assert [row[f"_message_{name}"] for name in ("key", "value", "headers")] == [None, None, None]
    assert (row["_reason"], row["_detail"]) == (None, None)


def test_a_bad_message_is_kept_as_it_arrived_and_an_older_row_of_bronze_is_of_the_first_generation() -> None:
    _, bad, none = parsed(encode(transaction("one")), b"bad", None)
    assert (bad["_reason"], bad["_message_value"], bad["_message_key"]) == ("not_json", b"bad", b"k")
    assert (bad["_message_headers"], bad["_message_ingest_date"]) == ([{"key": "h", "value": None}], BROKER_TIME.date())
    assert (bad["event_id"], bad["event_date"], bad["event_month"], bad["_generation"]) == (None, None, None, 1)
    assert (none["_reason"], none["_message_value"], none["_generation"]) == ("not_json", None, 3)


@pytest.mark.parametrize(
    ("time", "detail"),
    [
        ("1999-12-31T23:59:59.5Z", "/time: 1999-12-31 23:59:59.5 is before 2000-01-01"),
        ("0001-01-01T00:00:00Z", "/time: 0001-01-01 00:00:00 is before 2000-01-01"),
        ("2000-01-01T00:00:00Z", None),
        ("2024-05-03T12:00:00.5Z", None),
        (
            "2024-05-03T12:00:00.500001Z",
            "/time: 2024-05-03 12:00:00.500001 is after the broker's 2024-05-03 12:00:00.5",
        ),
        ("9999-12-31T23:59:59Z", "/time: 9999-12-31 23:59:59 is after the broker's 2024-05-03 12:00:00.5"),
    ],
)
def test_a_time_out_of_range_says_beside_which_bound(time: str, detail: str | None) -> None:
    (row,) = parsed(encode(transaction("one", time)))
    assert row["_detail"] == detail
    assert row["_reason"] == (None if detail is None else "time_out_of_range")
    assert (row["_message_value"] is None) == (detail is None)


def test_no_rows_have_the_columns_too() -> None:
    assert PARSER.parse(rows([])).schema == PARSER.parse(rows([b"bad"])).schema


@given(st.lists(st.datetimes(datetime(2000, 1, 1), datetime(2024, 5, 3)), min_size=1, max_size=5))
def test_days_and_months_are_those_of_the_calendar(times: list[datetime]) -> None:
    made = parsed(*(encode(transaction(f"{number}", f"{time.isoformat()}Z")) for number, time in enumerate(times)))
    assert [(row["event_date"], row["event_month"]) for row in made] == [
        (time.date(), f"{time.year:04}-{time.month:02}") for time in times
    ]


def test_of_many_only_those_out_of_range_are_told() -> None:
    times = pa.array([BROKER_TIME, None, BROKER_TIME + timedelta(days=2)], TIME)
    found = PARSER.rule.breaches(times, pa.array([BROKER_TIME] * 3, TIME)).to_pylist()
    assert [one is None for one in found] == [True, True, False]
