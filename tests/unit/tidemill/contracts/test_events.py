"""Ids that a replay repeats, times in UTC, keys by the contract."""

import uuid
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemill.contracts import ContractError, checker, contract, event, event_id, event_time
from tidemill.contracts.events import NAMESPACE
from tidemill.contracts.registry import NoKeyError

TOPIC = "shop.click.v1"


@given(st.text(), st.text())
def test_an_id_is_the_uuid5_of_source_and_record(source: str, record: str) -> None:
    assert event_id(source, record) == str(uuid.uuid5(NAMESPACE, f"{source}\x1f{record}"))


def test_the_ids_of_published_events_stay() -> None:
    assert event_id("urn:tidemill:online-retail", "536365/1") == "1ebe53c9-4e8d-5cda-9540-64fe27610b18"


def test_an_event_is_a_valid_cloudevent() -> None:
    data = {"session_id": "s", "kind": "view", "page": "/", "device": "mobile"}
    made = event(contract(TOPIC), "urn:test", "1", datetime(2024, 5, 1, 12, tzinfo=UTC), data)
    assert checker(TOPIC).check(made) is None
    assert (made["type"], made["data"]) == (TOPIC, data)


@pytest.mark.parametrize(
    ("time", "text"),
    [
        (datetime(2024, 5, 1, 12, 0, 0, 7, tzinfo=UTC), "2024-05-01T12:00:00.000007Z"),
        (datetime(2024, 5, 1, 1, tzinfo=timezone(timedelta(hours=2))), "2024-04-30T23:00:00.000000Z"),
    ],
)
def test_a_time_is_written_in_utc(time: datetime, text: str) -> None:
    assert event_time(time) == text


def test_a_time_without_zone_is_an_error() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        event_time(datetime(2024, 5, 1))


@pytest.mark.parametrize(
    ("data", "key"),
    [
        ({"customer_id": "C1", "session_id": "S1"}, b"C1"),
        ({"customer_id": None, "session_id": "S1"}, b"S1"),
        ({"session_id": "\u00fc"}, "\u00fc".encode()),
        ({"session_id": ""}, b""),
        ({"session_id": 2}, b"2"),
        ({"session_id": 2.0}, b"2"),
        ({"session_id": -0.0}, b"0"),
        ({"session_id": Decimal("2E+2")}, b"200"),
        ({"session_id": Decimal("1.10")}, b"1.1"),
        ({"session_id": 0.1}, b"0.1"),
        ({"session_id": 1e-7}, b"0.0000001"),
        ({"session_id": True}, b"true"),
    ],
)
def test_the_key_is_the_first_field_that_has_a_value(data: dict[str, Any], key: bytes) -> None:
    assert contract(TOPIC).key(data) == key


def test_an_event_without_key_is_an_error() -> None:
    with pytest.raises(NoKeyError, match="customer_id, session_id"):
        contract(TOPIC).key({"customer_id": None})


def test_an_unknown_topic_is_an_error_that_names_the_known() -> None:
    with pytest.raises(ContractError, match=r"shop\.click\.v1"):
        contract("shop.nothing.v1")
