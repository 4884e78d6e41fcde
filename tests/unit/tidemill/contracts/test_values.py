"""What is accepted has the very value that was sent, at any depth; what is not has a reason. No Spark yet."""

import json
import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cases import json_documents
from tests.unit.tidemill.contracts.test_checker import GOOD
from tidemill.contracts import Checker, Contract, Event, Reason, Rejection
from tidemill.contracts.columns import DecimalType
from tidemill.contracts.values import MisfitError, converter

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MONEY = {"type": "number", "x-decimal": [18, 4]}
TYPES: dict[str, Any] = {
    "whole": {"type": "integer"},
    "wholes": {"type": "array", "items": {"type": "integer"}},
    "prices": {"type": "array", "items": MONEY},
    "by_currency": {"type": "object", "additionalProperties": MONEY},
    "price": MONEY,
    "share": {"type": "number"},
    "at": {"type": "string", "format": "date-time"},
    "times": {"type": "object", "additionalProperties": {"type": "string", "format": "date-time"}},
}
CONTRACT = Contract("t", "t", ("whole",), {"type": "object", "properties": TYPES, "required": []})
CHECKER = Checker(CONTRACT)


def message(topic: str, data: str) -> bytes:
    envelope = json.dumps({**GOOD, "type": topic, "data": 0})
    return envelope.replace('"data": 0', f'"data": {data}').encode()


def read(field: str, text: str) -> Event | Rejection:
    return CHECKER.read(message("t", f'{{"{field}": {text}}}'))


def value(field: str, text: str) -> Any:
    event = read(field, text)
    assert isinstance(event, Event), event
    return event.data[list(TYPES).index(field)]


def from_micros(stored: Any, of: dict[str, Any]) -> Any:
    """Times as datetime, where the schema says so."""
    if stored is None:
        return None
    if "items" in of:
        return [from_micros(item, of["items"]) for item in stored]
    if "additionalProperties" in of:
        return [(name, from_micros(item, of["additionalProperties"])) for name, item in stored]
    return EPOCH + timedelta(microseconds=stored) if of.get("format") == "date-time" else stored


@settings(max_examples=400)
@given(st.randoms(use_true_random=False))
def test_what_is_accepted_has_the_value_that_was_sent_and_what_is_not_does_not_fit(rng: random.Random) -> None:
    contract = json_documents.contract_of(rng, json_documents.NAMES[:4])
    sent = json_documents.data(rng, contract.schema["properties"])
    event = Checker(contract).read(message("test", sent.text))
    if not sent.fits:
        assert isinstance(event, Rejection), sent
        assert event.reason is Reason.UNREPRESENTABLE
        return
    assert isinstance(event, Event), (sent.text, event)
    for (name, of), stored in zip(contract.schema["properties"].items(), event.data, strict=True):
        assert json_documents.agrees(from_micros(stored, of), sent.value.get(name)), (name, sent.text, stored)


@pytest.mark.parametrize(
    ("field", "text", "expected"),
    [
        ("whole", "2.0", 2),
        ("whole", "2e0", 2),
        ("whole", "-0.0", 0),
        ("whole", "0e400", 0),
        ("whole", "9223372036854775807", 2**63 - 1),
        ("whole", "-9.223372036854775808e18", -(2**63)),
        ("wholes", "[1, 2.0, 200e-2]", [1, 2, 2]),
        ("prices", "[19.9999, 0.0001, 1e3, 2.00000]", [Decimal(text) for text in ("19.9999", "0.0001", "1000", "2")]),
        ("by_currency", '{"EUR": 2.0001}', [("EUR", Decimal("2.0001"))]),
        ("price", "99999999999999.9999", Decimal("99999999999999.9999")),
        ("price", "0.00000000000000000000000000000000000000000e5", Decimal(0)),
        ("share", "0.1", 0.1),
        ("share", "0.10000000000000001", 0.1),
        ("share", "0.30000000000000004", 0.30000000000000004),
        ("share", "0.1000000000000000055511151231257827021181583404541015625", 0.1),
        ("share", "5e-324", 5e-324),
        ("share", "1e23", 1e23),
        ("share", "9007199254740993.0e0", None),
        ("share", "12345678901234567890", None),
        ("share", "0e-400", 0.0),
    ],
)
def test_a_number_may_be_written_in_any_way(field: str, text: str, expected: Any) -> None:
    if expected is None:
        assert isinstance(read(field, text), Rejection)
    else:
        assert value(field, text) == expected


@pytest.mark.parametrize(
    ("field", "text", "detail"),
    [
        ("price", "19.99995", "/data/price: 19.99995 does not fit DECIMAL(18,4)"),
        ("price", "1e-30", "/data/price: 1E-30 does not fit DECIMAL(18,4)"),
        ("price", "2.0000000000000000001", "/data/price: 2.0000000000000000001 does not fit DECIMAL(18,4)"),
        ("price", "100000000000000", "/data/price: 100000000000000 does not fit DECIMAL(18,4)"),
        ("prices", "[19.99995, 0.00004]", "/data/prices/0: 19.99995 does not fit DECIMAL(18,4)"),
        ("by_currency", '{"E/U": 2.00005}', "/data/by_currency/E~1U: 2.00005 does not fit DECIMAL(18,4)"),
        ("whole", "9223372036854775808", "/data/whole: 9223372036854775808 does not fit BIGINT"),
        ("wholes", "[1, 1e19]", "/data/wholes/1: 1E+19 does not fit BIGINT"),
        ("share", "2.0000000000000000001", "/data/share: 2.0000000000000000001 does not fit DOUBLE"),
        ("share", "1e-400", "/data/share: 1E-400 does not fit DOUBLE"),
        ("share", "9007199254740993", "/data/share: 9007199254740993 does not fit DOUBLE"),
        ("at", '"2016-12-31T23:59:60Z"', "/data/at: 2016-12-31T23:59:60Z does not fit TIMESTAMP"),
        ("times", '{"a": "0000-01-01T00:00:00Z"}', "/data/times/a: 0000-01-01T00:00:00Z does not fit TIMESTAMP"),
        ("at", '"9999-12-31T23:59:59-00:01"', "/data/at: 9999-12-31T23:59:59-00:01 does not fit TIMESTAMP"),
    ],
)
def test_a_value_that_does_not_fit_is_named_with_its_place(field: str, text: str, detail: str) -> None:
    assert read(field, text) == Rejection(Reason.UNREPRESENTABLE, detail)


@pytest.mark.parametrize("text", ["2024-05-01t23:30:00.1234569z", "2024-05-01T23:30:00.123456Z"])
def test_a_time_in_data_is_written_as_in_the_envelope(text: str) -> None:
    expected = (datetime(2024, 5, 1, 23, 30, 0, 123456, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)
    assert value("at", f'"{text}"') == expected
    event = CHECKER.read(message("t", "{}").replace(b"2011-12-01T08:26:00Z", text.encode()))
    assert isinstance(event, Event)
    assert event.time == expected


def test_a_price_says_nothing_of_a_longer_one_that_is_the_same_float() -> None:
    """0.1 equals the Decimal of all its 55 digits, and has the same hash."""
    convert = converter(DecimalType(18, 4))
    assert convert is not None
    assert convert(0.1) == Decimal("0.1")
    with pytest.raises(MisfitError, match="does not fit"):
        convert(Decimal.from_float(0.1))
    assert convert(0.1) == Decimal("0.1")
