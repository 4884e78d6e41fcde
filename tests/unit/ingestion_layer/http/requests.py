"""The same event as a request in each of the three modes, written from the binding's own words."""

from collections.abc import Mapping
from typing import Any

import orjson

TOPIC = "shop.click.v1"
Request = tuple[list[tuple[bytes, bytes]], bytes]

CLICK: dict[str, Any] = {
    "specversion": "1.0",
    "id": "c-1",
    "source": "urn:example:web",
    "type": TOPIC,
    "time": "2026-11-27T10:00:00Z",
    "datacontenttype": "application/json",
    "dataschema": "urn:tidemill:shop.click.v1",
    "data": {"session_id": "s-1", "kind": "view", "page": "/p/1", "device": "mobile"},
}


def structured(event: Any, content_type: bytes = b"application/cloudevents+json") -> Request:
    return [(b"content-type", content_type)], orjson.dumps(event)


def batch(*events: Any) -> Request:
    return [(b"content-type", b"application/cloudevents-batch+json")], orjson.dumps(list(events))


def binary(event: Mapping[str, Any]) -> Request:
    """Section 3.1.3.2: space, double quote, percent and whatever is no printable ASCII is percent-encoded."""
    attributes = {name: value for name, value in event.items() if name not in ("data", "datacontenttype")}
    headers = [(b"ce-" + name.encode(), encoded(value)) for name, value in attributes.items()]
    if "datacontenttype" in event:
        headers.insert(0, (b"content-type", event["datacontenttype"].encode()))
    return headers, orjson.dumps(event["data"])


def encoded(text: str) -> bytes:
    return b"".join(
        character.encode() if "!" <= character <= "~" and character not in '"%' else _percent(character)
        for character in text
    )


def _percent(character: str) -> bytes:
    return b"".join(b"%%%02X" % byte for byte in character.encode())
