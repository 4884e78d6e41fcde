"""The checker: its reasons one by one, its verdict against another implementation, and that nothing makes it raise."""

import copy
import json
from typing import Any

import jsonschema
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemill.contracts import Reason, checker, contract
from tidemill.contracts.registry import contracts, envelope

TOPIC = "shop.transaction.v1"
GOOD: dict[str, Any] = {
    "specversion": "1.0",
    "id": "a",
    "source": "urn:test",
    "type": TOPIC,
    "time": "2011-12-01T08:26:00Z",
    "datacontenttype": "application/json",
    "dataschema": "urn:tidemill:shop.transaction.v1",
    "data": {
        "order_id": "536365",
        "line": 1,
        "customer_id": "17850",
        "product_id": "85123A",
        "description": "LANTERN",
        "quantity": 6,
        "unit_price": 2.55,
        "currency": "GBP",
        "country": "United Kingdom",
        "kind": "purchase",
    },
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


def changed(**data: Any) -> dict[str, Any]:
    return {**GOOD, "data": {**GOOD["data"], **data}}


def without(*names: str) -> dict[str, Any]:
    return {**GOOD, "data": {name: value for name, value in GOOD["data"].items() if name not in names}}


@pytest.mark.parametrize("event", [GOOD, changed(customer_id=None), without("customer_id", "description")])
def test_a_good_event_has_no_rejection(event: dict[str, Any]) -> None:
    assert checker(TOPIC).check(event) is None
    assert checker(TOPIC).check_bytes(orjson.dumps(event)) is None


def test_a_field_the_contract_does_not_know_is_accepted() -> None:
    assert checker(TOPIC).check(changed(colour="red")) is None


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        pytest.param(None, Reason.NOT_JSON, id="a tombstone"),
        pytest.param(b"", Reason.NOT_JSON, id="nothing"),
        pytest.param(b"\xff\xfe\x00", Reason.NOT_JSON, id="binary"),
        pytest.param(orjson.dumps(GOOD)[:-1], Reason.NOT_JSON, id="cut off"),
        pytest.param(b'{"a": NaN}', Reason.NOT_JSON, id="NaN"),
        pytest.param(b'{"a": "\\ud800"}', Reason.NOT_JSON, id="half a surrogate pair"),
        pytest.param(b"[" * 100_000, Reason.UNREPRESENTABLE, id="deep and unclosed"),
        pytest.param(b"[" * 100_000 + b"]" * 100_000, Reason.UNREPRESENTABLE, id="deep"),
        pytest.param(b'{"a": 1e999}', Reason.UNREPRESENTABLE, id="a number beyond any float"),
        pytest.param(b"17", Reason.NOT_CLOUDEVENT, id="a number"),
        pytest.param(b"[]", Reason.NOT_CLOUDEVENT, id="a list"),
        pytest.param(b"{}", Reason.NOT_CLOUDEVENT, id="no attribute"),
        pytest.param(orjson.dumps({**GOOD, "specversion": "0.3"}), Reason.NOT_CLOUDEVENT, id="an old CloudEvents"),
        pytest.param(orjson.dumps({**GOOD, "time": "yesterday"}), Reason.NOT_CLOUDEVENT, id="no time"),
        pytest.param(orjson.dumps({**GOOD, "time": "2011-12-01T08:26:00"}), Reason.NOT_CLOUDEVENT, id="no time zone"),
        pytest.param(orjson.dumps({**GOOD, "data": "text"}), Reason.NOT_CLOUDEVENT, id="data is text"),
        pytest.param(orjson.dumps({**GOOD, "type": "shop.refund.v9"}), Reason.UNKNOWN_TYPE, id="no such contract"),
        pytest.param(orjson.dumps({**GOOD, "type": "shop.click.v1"}), Reason.UNKNOWN_TYPE, id="another topic's"),
        pytest.param(orjson.dumps(changed(quantity=0)), Reason.SCHEMA, id="a bound"),
        pytest.param(orjson.dumps(without("product_id")), Reason.SCHEMA, id="a missing field"),
        pytest.param(orjson.dumps(changed(unit_price="2.55")), Reason.SCHEMA, id="a type"),
    ],
)
def test_a_bad_value_has_its_reason(value: bytes | None, reason: Reason) -> None:
    rejection = checker(TOPIC).check_bytes(value)
    assert rejection is not None
    assert rejection.reason is reason


@pytest.mark.parametrize(
    ("event", "pointer"),
    [
        (changed(quantity=0), "/data/quantity: "),
        (changed(currency="pounds"), "/data/currency: "),
        (without("kind"), "/data: "),
        ({**GOOD, "time": "soon"}, "/time: "),
        ({**GOOD, "type": "nothing"}, "/type: "),
    ],
)
def test_the_detail_names_the_place(event: dict[str, Any], pointer: str) -> None:
    rejection = checker(TOPIC).check(event)
    assert rejection is not None
    assert rejection.detail.startswith(pointer)


def test_a_detail_never_grows_with_the_event() -> None:
    rejection = checker(TOPIC).check(changed(product_id="x" * 1_000_000))
    assert rejection is not None
    assert len(rejection.detail) <= 300


@given(st.none() | st.binary(max_size=500), st.sampled_from(sorted(contracts())))
def test_no_bytes_make_it_raise(value: bytes | None, topic: str) -> None:
    rejection = checker(topic).check_bytes(value)
    assert rejection is not None
    assert rejection.reason in (Reason.NOT_JSON, Reason.NOT_CLOUDEVENT)


@given(JSON, st.sampled_from(sorted(contracts())))
def test_no_json_makes_it_raise(value: Any, topic: str) -> None:
    rejection = checker(topic).check(value)
    assert rejection is not None
    assert rejection.reason in (Reason.NOT_JSON, Reason.NOT_CLOUDEVENT)


@given(st.data())
def test_its_verdict_is_that_of_another_implementation(data: st.DataObject) -> None:
    event = copy.deepcopy(GOOD)
    place = data.draw(st.sampled_from([event, event["data"]]))
    place[data.draw(st.sampled_from(sorted(place)))] = data.draw(
        JSON | st.sampled_from(["GBP", "return", "2011-12-01T08:26:00+01:00", 7, 0.5])
    )
    value = json.dumps(event).encode()
    try:
        parsed = orjson.loads(value)
    except orjson.JSONDecodeError:  # NaN and infinity are Python's, not JSON's
        rejection = checker(TOPIC).check_bytes(value)
        assert rejection is not None
        assert rejection.reason is Reason.NOT_JSON
        return
    other = jsonschema.Draft202012Validator(
        {"allOf": [envelope()], "properties": {"type": {"const": TOPIC}, "data": contract(TOPIC).schema}},
        format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER,
    )
    assert (checker(TOPIC).check_bytes(value) is None) == other.is_valid(parsed)
