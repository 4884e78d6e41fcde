"""One batch of bronze rows becomes rows of silver and of quarantine, whatever the messages hold."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from deltalake import DeltaTable
from pyspark.sql import DataFrame

from data_lake import tables
from tests.integration.stream_processing.conftest import TOPIC, Rows, encode, transaction
from tidemill.config import Settings

SILVER, QUARANTINE = "silver/transactions", f"quarantine/{TOPIC}"
Write = Callable[[DataFrame, int], None]
Messages = Callable[..., DataFrame]

BAD = {
    "tombstone": (None, "not_json", ": no value"),
    "empty": (b"", "not_json", ": "),
    "text": (b"hello", "not_json", ": "),
    "truncated": (encode(transaction("t"))[:-20], "not_json", ": "),
    "binary": (bytes(range(256)), "not_json", ": "),
    "lone surrogate": (b'{"a": "\\ud800"}', "not_json", ": "),
    "number beyond a double": (b'{"a": 1e999}', "unrepresentable", "/a: 1e999 is beyond the limits"),
    "too deep": (b"[" * 5000 + b"]" * 5000, "unrepresentable", ": nested deeper than"),
    "a megabyte of text": (b"x" * 1_500_000, "not_json", ": "),
    "an array": (b"[1, 2]", "not_cloudevent", ": "),
    "no id": (encode({k: v for k, v in transaction("i").items() if k != "id"}), "not_cloudevent", ": "),
    "no such time": (encode(transaction("n", "2024-02-30T00:00:00Z")), "not_cloudevent", "/time: "),
    "another topic's": (encode(transaction("a") | {"type": "shop.click.v1"}), "unknown_type", "/type: "),
    "unknown type": (encode(transaction("u") | {"type": "shop.refund.v9"}), "unknown_type", "/type: "),
    "negative price": (encode(transaction("p", unit_price=-1)), "schema", "/data/unit_price: "),
    "wrong type": (encode(transaction("w", quantity="two")), "schema", "/data/quantity: "),
    "leap second": (encode(transaction("l", "2016-12-31T23:59:60Z")), "unrepresentable", "/time: "),
    "more decimals than money has": (
        encode(transaction("d", unit_price=2.55555)),
        "unrepresentable",
        "/data/unit_price: 2.55555 does not fit DECIMAL(18,4)",
    ),
    "a number of 2,000 digits in an unknown field": (
        encode(transaction("m")).replace(b'"data":{', b'"data":{"more":0.' + b"1" * 2000 + b","),
        "unrepresentable",
        "/data/more: 0.111111111111111111...111111111111111 is beyond the limits",
    ),
    "long ago": (encode(transaction("o", "1999-12-31T23:59:59Z")), "time_out_of_range", "/time: "),
    "too far ahead": (encode(transaction("h", "2024-05-03T12:00:01Z")), "time_out_of_range", "/time: "),
}


def test_each_bad_message_is_quarantined_raw_with_its_reason_and_the_good_ones_beside_it_are_kept(
    write: Write, messages: Messages, rows: Rows
) -> None:
    good = [encode(transaction("good 1")), encode(transaction("good 2", "2024-05-03T12:00:00Z"))]
    write(messages([good[0], *(value for value, _, _ in BAD.values()), good[1]]), 0)

    found = rows(QUARANTINE)
    assert [row["offset"] for row in found] == list(range(1, len(BAD) + 1))
    for (name, (value, reason, detail)), row in zip(BAD.items(), found, strict=True):
        assert row["value"] == value, name
        assert row["reason"] == reason, (name, row["detail"])
        assert row["detail"].startswith(detail), (name, row["detail"])
    assert [row["event_id"] for row in rows(SILVER)] == [transaction("good 1")["id"], transaction("good 2")["id"]]


def test_values_arrive_in_silver_as_they_were_sent(write: Write, messages: Messages, rows: Rows) -> None:
    event = transaction("v", "2024-05-01t23:30:00.123456-02:30", customer_id=None, unit_price=1234567.8901, extra=[1])
    event["data"]["description"] = "naïve \u0000 \U0001f600 mug"
    write(messages([encode(event)]), 0)
    (row,) = rows(SILVER)
    assert row["event_time"] == datetime(2024, 5, 2, 2, 0, 0, 123456)
    assert (row["event_date"], row["event_month"]) == (date(2024, 5, 2), "2024-05")
    assert row["unit_price"] == Decimal("1234567.8901")
    assert (row["customer_id"], row["description"]) == (None, "naïve \u0000 \U0001f600 mug")
    assert (row["quantity"], row["line"], row["kind"], row["source"]) == (2, 1, "purchase", "urn:test")
    assert (row["_partition"], row["_offset"]) == (0, 0)


@pytest.mark.parametrize("written", [b"2.0", b"0.2e1", b"200E-2"])
def test_an_integer_may_be_written_with_a_point_or_an_exponent(
    write: Write, messages: Messages, rows: Rows, written: bytes
) -> None:
    write(messages([encode(transaction("n")).replace(b'"quantity":2', b'"quantity":' + written)]), 0)
    assert [(row["quantity"], row["line"]) for row in rows(SILVER)] == [(2, 1)]


def test_of_duplicates_in_one_batch_the_lowest_offset_stays(write: Write, messages: Messages, rows: Rows) -> None:
    repeated = encode(transaction("twice"))
    write(messages([encode(transaction("once")), repeated, repeated, repeated]).repartition(3), 0)
    assert [(row["_offset"], row["event_id"]) for row in rows(SILVER)] == [
        (0, transaction("once")["id"]),
        (1, transaction("twice")["id"]),
    ]


def test_a_duplicate_in_a_later_batch_changes_nothing(write: Write, messages: Messages, rows: Rows) -> None:
    write(messages([encode(transaction("first"))]), 0)
    write(messages([encode(transaction("first")), encode(transaction("second"))]), 1)
    assert [(row["_offset"], row["event_id"]) for row in rows(SILVER)] == [
        (0, transaction("first")["id"]),
        (2, transaction("second")["id"]),
    ]


def test_the_same_batch_again_changes_nothing(write: Write, messages: Messages, rows: Rows) -> None:
    batch = messages([encode(transaction(f"r{n % 3}")) for n in range(5)] + [b"bad", None])
    write(batch, 0)
    before: list[list[dict[str, Any]]] = [rows(SILVER), rows(QUARANTINE)]
    write(batch, 0)
    write(batch, 7)  # what a reset checkpoint does: the same rows under another number
    assert [rows(SILVER), rows(QUARANTINE)] == before
    assert [len(part) for part in before] == [3, 2]


def test_a_batch_half_written_is_completed(write: Write, messages: Messages, rows: Rows, lake: Settings) -> None:
    """Killed after the silver write: silver has the batch, quarantine does not."""
    batch = messages([encode(transaction("half")), b"bad"])
    write(batch, 0)
    DeltaTable(tables.quarantine(TOPIC).path(lake)).delete()
    write(batch, 0)
    assert [row["_offset"] for row in rows(SILVER)] == [0]
    assert [row["offset"] for row in rows(QUARANTINE)] == [1]


def test_a_batch_without_bad_messages_does_not_touch_quarantine(
    write: Write, messages: Messages, lake: Settings
) -> None:
    write(messages([encode(transaction("fine"))]), 0)
    assert DeltaTable(tables.quarantine(TOPIC).path(lake)).version() == 0


def test_a_batch_of_bad_messages_does_not_touch_silver(write: Write, messages: Messages, lake: Settings) -> None:
    write(messages([b"bad"]), 0)
    assert DeltaTable(tables.silver(TOPIC).path(lake)).version() == 0


@pytest.mark.parametrize(("time", "accepted"), [("2000-01-01T00:00:00Z", True), ("1999-12-31T23:59:59.999999Z", False)])
def test_the_earliest_event_is_a_bound_that_belongs_to_the_range(
    write: Write, messages: Messages, rows: Rows, time: str, accepted: bool
) -> None:
    write(messages([encode(transaction("edge", time))]), 0)
    assert len(rows(SILVER)) == accepted
    assert len(rows(QUARANTINE)) == (not accepted)


def test_broker_time_is_utc(write: Write, messages: Messages, rows: Rows) -> None:
    write(messages([encode(transaction("z"))]), 0)
    (row,) = rows(SILVER)
    assert row["broker_time"].replace(tzinfo=UTC) == datetime(2024, 5, 2, 12, 0, tzinfo=UTC)
