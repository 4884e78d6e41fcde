"""What the official Python SDK writes is what this server reads; it is an implementation of the binding by others."""

import datetime
from collections.abc import Callable, Mapping
from typing import Any

import orjson
import pytest
from cloudevents.core.bindings import http as core
from cloudevents.core.v1.event import CloudEvent
from cloudevents.v1 import http as older
from cloudevents.v1.conversion import to_binary, to_structured

from ingestion_layer.http.binding import events_in
from ingestion_layer.http.judging import judge
from tests.unit.ingestion_layer.http.requests import CLICK, TOPIC, structured
from tidemill.contracts import contract
from tidemill.contracts.checker import Message

AT = datetime.datetime(2026, 11, 27, 10, tzinfo=datetime.UTC)
EVENT = CLICK | {"source": 'urn:example:Straße "50%"', "traceparent": "00-a b-01", "time": "2026-11-27T10:00:00Z"}
Encoded = tuple[Mapping[str, str], bytes]


def attributes(*without: str) -> dict[str, Any]:
    return {name: value for name, value in EVENT.items() if name not in ("data", *without)}


def by_core(encode: Callable[[CloudEvent], core.HTTPMessage], *without: str) -> Encoded:
    message = encode(CloudEvent(attributes("time", *without) | {"time": AT}, EVENT["data"]))
    return message.headers, message.body


def by_older(encode: Callable[[older.CloudEvent], Encoded]) -> Encoded:
    """Its binary mode does not encode what is no ASCII, so it is given none."""
    headers, body = encode(older.CloudEvent(attributes() | {"source": "urn:example:web"}, EVENT["data"]))
    return headers, body


@pytest.mark.parametrize(
    ("encoded", "source"),
    [
        pytest.param(by_core(core.to_structured_event), EVENT["source"], id="structured"),
        pytest.param(by_core(core.to_binary_event), EVENT["source"], id="binary"),
        pytest.param(by_core(core.to_binary_event, "datacontenttype"), EVENT["source"], id="binary, its type unsaid"),
        pytest.param(by_older(to_structured), "urn:example:web", id="structured by the older interface"),
        pytest.param(by_older(to_binary), "urn:example:web", id="binary by the older interface"),
    ],
)
def test_an_event_of_the_sdk_is_the_message_that_it_says(encoded: Encoded, source: str) -> None:
    headers, body = encoded
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]

    (event,), _ = events_in(raw, body)
    sent = judge(contract(TOPIC), event)
    assert isinstance(sent, Message), sent

    (plain,), _ = events_in(*structured(EVENT | {"source": source}))
    expected = judge(contract(TOPIC), plain)
    assert isinstance(expected, Message)
    read, meant = (orjson.loads(message.value) for message in (sent, expected))
    assert datetime.datetime.fromisoformat(read.pop("time")) == datetime.datetime.fromisoformat(meant.pop("time"))
    assert read == meant


def test_the_sdk_reads_back_what_this_server_would_send() -> None:
    (event,), _ = events_in(*structured(EVENT))
    message = judge(contract(TOPIC), event)
    assert isinstance(message, Message)
    read = core.from_structured_event(core.HTTPMessage({"content-type": "application/cloudevents+json"}, message.value))
    assert (read.get_id(), read.get_source(), read.get_time(), read.get_data()) == (
        EVENT["id"],
        EVENT["source"],
        AT,
        EVENT["data"],
    )
