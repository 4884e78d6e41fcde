"""What the binding says a request means; expected texts are the specification's own examples, or written by hand."""

import json
import string
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion_layer.http.binding import events_in
from ingestion_layer.http.judging import judge
from ingestion_layer.http.refusal import RefusedError
from tests.unit.ingestion_layer.http.requests import CLICK, TOPIC, Request, batch, binary, structured
from tidemill.contracts import contract
from tidemill.contracts.checker import Message

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)
EXTENSIONS = st.dictionaries(st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=8), TEXT, max_size=3)
ATTRIBUTES = frozenset(CLICK)
DEEP = b"[" * 900 + b"]" * 900


def events(request: Request) -> list[Any]:
    return events_in(*request)[0]


def message(request: Request) -> Message:
    (event,) = events(request)
    judged = judge(contract(TOPIC), event)
    assert isinstance(judged, Message), judged
    return judged


def refusal(request: Request) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        events_in(*request)
    return caught.value


@given(
    identity=TEXT,
    source=TEXT,
    page=TEXT,
    extensions=EXTENSIONS,
    number=st.decimals(0, 1_000_000, places=20),
    unsaid=st.sets(st.sampled_from(["datacontenttype", "dataschema"])),
)
def test_the_three_modes_of_one_event_are_one_message(
    *, identity: str, source: str, page: str, extensions: dict[str, str], number: Decimal, unsaid: set[str]
) -> None:
    own = {name: value for name, value in extensions.items() if name not in ATTRIBUTES}
    event = CLICK | own | {"id": identity, "source": source, "data": CLICK["data"] | {"page": page, "rank": 1}}
    exact = f'"rank":{number:f}'.encode()  # more digits than a float64 holds

    made = [
        message((headers, body.replace(b'"rank":1', exact)))
        for mode in (structured, binary, batch)
        for headers, body in (mode(event), mode({name: event[name] for name in event if name not in unsaid}))
    ]

    assert made == [made[0]] * 6
    read = json.loads(made[0].value, parse_float=Decimal)
    assert read == event | {"data": event["data"] | {"rank": number}}


def test_what_an_event_may_leave_out_is_put_in_and_its_order_is_one() -> None:
    short = {name: CLICK[name] for name in ("data", "type", "time", "id", "source", "specversion")}
    assert message(structured(short)).value == json.dumps(CLICK, separators=(",", ":")).encode()


def test_an_attribute_that_is_null_is_not_there() -> None:
    event = CLICK | {"dataschema": None, "traceparent": None}
    assert json.loads(message(structured(event)).value) == CLICK


@pytest.mark.parametrize(
    "written",
    [
        "application/json; charset=utf8",
        "application/json; charset=us-ascii",
        "Application/JSON",
        'application/json;charset="UTF-8"',
    ],
)
def test_json_is_json_however_its_type_is_spelled(written: str) -> None:
    headers, body = binary(CLICK)
    spelled = [(b"content-type", written.encode()), *headers[1:]]
    assert (
        message((spelled, body))
        == message(structured(CLICK | {"datacontenttype": written}))
        == message((headers, body))
    )


@pytest.mark.parametrize(
    ("header", "text"),
    [
        pytest.param(b"Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀", id="the specification's example"),
        pytest.param(b"Euro%20%e2%82%ac", "Euro €", id="hexadecimal digits in lower case"),
        pytest.param(b"%2525", "%25", id="decoded once"),
        pytest.param(b'"a \\"b\\" \\\\ c"', 'a "b" \\ c', id="a quoted string with escapes"),
        pytest.param(b'"%41 b"', "A b", id="quoted, and then encoded"),
        pytest.param(b'a"b', 'a"b', id="a quote that quotes nothing"),
        pytest.param("Grüße".encode(), "Grüße", id="plain UTF-8, as older clients send"),
        pytest.param(b"50%", "50%", id="a percent sign that encodes nothing"),
    ],
)
def test_a_header_is_read_as_the_binding_says(header: bytes, text: str) -> None:
    headers, body = binary(CLICK)
    (event,) = events(([*headers, (b"ce-note", header)], body))
    assert event["note"] == text


def test_a_content_type_of_its_own_for_each_mode() -> None:
    assert events_in(*structured(CLICK, b"application/cloudevents+json; charset=UTF-8")) == ([CLICK], False)
    assert events_in(*batch(CLICK, CLICK)) == ([CLICK, CLICK], True)
    assert events_in(*batch()) == ([], True)


@pytest.mark.parametrize(
    "content_type",
    [
        b"",
        b"text/plain",
        b"application/cloudevents+xml",
        b"application/cloudevents+json; charset=latin-1",
        b"application/xml",
    ],
)
def test_another_content_type_is_refused_with_those_that_are_taken(content_type: bytes) -> None:
    refused = refusal(([(b"content-type", content_type)], b"{}"))
    assert refused.status == 415
    assert "charset" in refused.detail or "application/cloudevents-batch+json" in refused.detail


def test_json_without_attributes_is_no_event() -> None:
    assert refusal(([(b"content-type", b"application/json")], b"{}")).status == 415


def test_the_data_of_an_event_without_a_type_are_read_as_json() -> None:
    headers, _ = binary(CLICK)
    assert refusal((headers[1:], b"<xml/>")).faults[0].pointer == "/data"


@pytest.mark.parametrize(
    ("headers", "pointer"),
    [
        pytest.param([(b"ce-id", b"again")], "/id", id="twice"),
        pytest.param([(b"ce-note", b"%FF%FE")], "/note", id="no UTF-8"),
        pytest.param([(b"ce-data", b"{}")], "/data", id="data in a header"),
        pytest.param([(b"ce-no_te", b"a")], "/no_te", id="no name of an attribute"),
    ],
)
def test_a_header_that_states_no_attribute_is_refused_by_name(headers: list[tuple[bytes, bytes]], pointer: str) -> None:
    right, body = binary(CLICK)
    refused = refusal(([*right, *headers], body))
    assert (refused.status, refused.faults[0].pointer, refused.faults[0].reason) == (400, pointer, "not_cloudevent")


@pytest.mark.parametrize(
    ("content_type", "body", "status", "pointer", "reason"),
    [
        (b"application/cloudevents+json", b"", 400, "", "not_json"),
        (b"application/cloudevents+json", b"{'id': 1}", 400, "", "not_json"),
        (b"application/cloudevents+json", b'{"id": "\xff"}', 400, "", "not_json"),
        (b"application/cloudevents+json", b'{"data": {"a": 1e999}}', 422, "/data/a", "unrepresentable"),
        (b"application/cloudevents+json", b'{"data": %s}' % (b"[" * 200 + b"]" * 200), 422, "", "unrepresentable"),
        (b"application/cloudevents-batch+json", b"[{]", 400, "", "not_json"),
        (b"application/cloudevents-batch+json", b"{}", 400, "", "not_cloudevent"),
        (b"application/cloudevents-batch+json", b'[{}, {"data": 1e999}]', 422, "/1/data", "unrepresentable"),
        (b"application/cloudevents-batch+json", b"[" * 2000 + b"]" * 2000, 400, "", "not_json"),
        (b"application/cloudevents-batch+json", b"[1.00000000000000000001, %s]" % DEEP, 422, "", "unrepresentable"),
    ],
)  # fmt: skip
def test_a_body_that_cannot_be_read_is_refused_with_its_place(
    content_type: bytes, body: bytes, status: int, pointer: str, reason: str
) -> None:
    refused = refusal(([(b"content-type", content_type)], body))
    assert (refused.status, refused.faults[0].pointer, refused.faults[0].reason) == (status, pointer, reason)


def test_an_item_of_a_batch_deeper_than_allowed_is_judged_by_itself() -> None:
    deep = CLICK | {"data": CLICK["data"] | {"page": json.loads("[" * 150 + "]" * 150)}}
    fine, deeper = events(batch(CLICK, deep))
    assert isinstance(judge(contract(TOPIC), fine), Message)
    assert str(judge(contract(TOPIC), deeper)).count("nested deeper") == 1


def test_the_data_of_binary_mode_is_placed_in_the_event() -> None:
    headers, _ = binary(CLICK)
    assert refusal((headers, b"{")).faults[0].pointer == "/data"
    assert refusal((headers, b'{"a": 1e999}')).faults[0].pointer == "/data/a"
