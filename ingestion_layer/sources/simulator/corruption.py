"""Bad messages, each made from a good event in one of the ways real clients get it wrong."""

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from ingestion_layer.kafka.producer import RawMessage
from tidemill.contracts.events import event_id
from tidemill.contracts.registry import contract

Event = dict[str, Any]

UNKNOWN_TYPE = "shop.refund.v9"
WRONG_TIMES = ("1970-01-01T00:00:00Z", "1999-12-31T23:59:59.999999Z", "2262-01-01T00:00:00Z")


def bad_message(kind: str, event: Event, number: int) -> tuple[RawMessage, str]:
    """A message with the fault ``kind`` made from ``event``, and the id it has or was to have.

    ``number`` tells apart the messages made from one event and chooses among the ways to break it.
    """
    topic = contract(event["type"])
    identity = event_id(event["source"], f"{kind}/{number}/{event['id']}")
    broken = {**event, "id": identity, "data": dict(event["data"])}
    value = _WAYS[kind](broken, number)
    return RawMessage(topic.key(event["data"]), value), identity


def _malformed(event: Event, number: int) -> bytes:
    value = orjson.dumps(event)
    ways = (
        value[: len(value) // 2],
        value[:-1],
        value.replace(b'"', b"'"),
        b"\x00\xff\xfe" + value[:40],
        value + b"}",
        b"<event>" + value + b"</event>",
    )
    return ways[number % len(ways)]


def _bare(event: Event, number: int) -> bytes:
    without_time = {key: value for key, value in event.items() if key != "time"}
    ways: tuple[Any, ...] = (event["data"], without_time, [event], {**event, "specversion": "0.3"}, event["id"])
    return orjson.dumps(ways[number % len(ways)])


def _unknown_type(event: Event, _: int) -> bytes:
    return orjson.dumps({**event, "type": UNKNOWN_TYPE})


def _violation(event: Event, number: int) -> bytes:
    ways = _VIOLATIONS[event["type"]]
    event["data"].update(ways[number % len(ways)])
    kept = {key: value for key, value in event["data"].items() if value is not _ABSENT}
    return orjson.dumps({**event, "data": kept})


def _wrong_time(event: Event, number: int) -> bytes:
    return orjson.dumps({**event, "time": WRONG_TIMES[number % len(WRONG_TIMES)]})


def _too_precise(event: Event, _: int) -> bytes:
    event["data"]["unit_price"] += 0.00001
    return orjson.dumps(event)


_ABSENT = object()
_VIOLATIONS: Mapping[str, tuple[Mapping[str, Any], ...]] = {
    "shop.transaction.v1": (
        {"quantity": 0},
        {"unit_price": -1.5},
        {"product_id": _ABSENT},
        {"kind": "refund"},
        {"currency": "pounds"},
        {"unit_price": "12.50"},
        {"quantity": 1.5},
    ),
    "shop.click.v1": (
        {"kind": "hover"},
        {"session_id": _ABSENT},
        {"page": ""},
        {"device": "fridge"},
        {"customer_id": 17850},
    ),
    "shop.customer.v1": (
        {"age_band": "17"},
        {"customer_id": ""},
        {"region": 7},
        {"sign_up_channel": "fax"},
    ),
}
_WAYS: Mapping[str, Callable[[Event, int], bytes]] = {
    "malformed": _malformed,
    "bare": _bare,
    "unknown_type": _unknown_type,
    "violation": _violation,
    "wrong_time": _wrong_time,
    "too_precise": _too_precise,
}
