"""Batches of lines: a receipt for a key, and an event for each line whose id follows from the key."""

import hashlib

import httpx
import orjson
import pytest

from tests.integration.ingestion_layer.http.event_server import EventServer, click, events_on, ids
from tidemill.contracts import event_id

TOPIC = "shop.transaction.v1"
SOURCE = "urn:shop:till:17"
LINE = {
    "time": "2026-11-27T17:03:00+01:00",
    "data": {
        "order_id": "o-1", "line": 1, "customer_id": None, "product_id": "P-1", "quantity": 2, "unit_price": 2.55,
        "currency": "EUR", "country": "DE", "kind": "purchase",
    },
}  # fmt: skip


def lines(*changes: dict[str, object]) -> bytes:
    return b"\n".join(orjson.dumps(LINE | {"data": LINE["data"] | change}) for change in changes)  # type: ignore[operator]


def post(server: EventServer, key: str, body: bytes, source: str = SOURCE) -> httpx.Response:
    headers = {"content-type": "application/jsonl", "idempotency-key": key}
    return server.client.post(f"/batches/{TOPIC}", params={"source": source}, content=body, headers=headers)


def test_a_batch_gets_a_receipt_and_the_same_one_when_it_comes_again(server: EventServer) -> None:
    key, body = str(click()["id"]), lines({"line": 1}, {"line": 2}) + b"\n\n" + lines({"line": 3})
    first, second = post(server, key, body), post(server, f'"{key}"', body)
    expected = [event_id(SOURCE, f"{key}/{number}") for number in (1, 2, 4)]  # the third line is empty
    assert first.status_code == second.status_code == 202
    assert first.json() == second.json()
    assert first.json() == {
        "key": key,
        "source": SOURCE,
        "topic": TOPIC,
        "digest": f"sha-256:{hashlib.sha256(body).hexdigest()}",
        "count": 3,
        "ids": expected,
    }
    sent = [event for event in events_on(server.settings, TOPIC) if event["id"] in expected]
    assert (len(sent), len(set(map(orjson.dumps, sent)))) == (6, 3)
    assert sent[0]["time"] == LINE["time"]


def test_a_key_that_comes_with_another_body_is_refused_and_nothing_of_it_is_sent(server: EventServer) -> None:
    key = str(click()["id"])
    assert post(server, key, lines({"line": 1})).status_code == 202
    other = post(server, key, lines({"line": 1}, {"line": 2}))
    assert other.status_code == 422
    assert "came with another body before" in other.json()["detail"]
    assert event_id(SOURCE, f"{key}/2") not in ids(server.settings, TOPIC)
    assert post(server, key, lines({"line": 1}, {"line": 2}), "urn:shop:till:18").status_code == 202


def test_each_bad_line_is_named_and_the_key_is_still_free(server: EventServer) -> None:
    key = str(click()["id"])
    body = b"\n".join([lines({"quantity": 0}), lines({"line": 2}), b"{'line': 3}", b'{"time": "now"}', b"[]"])
    refused = post(server, key, body)
    assert refused.status_code == 422
    assert refused.json()["detail"] == "4 of 5 events are refused, so none of them was sent"
    told = [(error["line"], error["pointer"], error["reason"]) for error in refused.json()["errors"]]
    assert told == [(1, "/data/quantity", "schema"), (3, "", "not_json"), (4, "", "schema"), (5, "", "schema")]
    assert event_id(SOURCE, f"{key}/2") not in ids(server.settings, TOPIC)
    assert post(server, key, lines({"line": 2})).status_code == 202


@pytest.mark.parametrize(
    ("headers", "address", "status", "sentence"),
    [
        ({}, "?source=urn:x", 400, "name the batch in one header Idempotency-Key"),
        ({"idempotency-key": "a b"}, "?source=urn:x", 400, "visible characters"),
        ({"idempotency-key": "k"}, "", 400, "?source="),
        ({"idempotency-key": "k", "content-type": "text/csv"}, "?source=urn:x", 415, "application/jsonl"),
    ],
    ids=["no key", "a key with a space", "no source", "another content"],
)
def test_a_batch_without_a_name_is_refused(
    server: EventServer, headers: dict[str, str], address: str, status: int, sentence: str
) -> None:
    own = {"content-type": "application/jsonl"} | headers
    answer = server.client.post(f"/batches/{TOPIC}{address}", content=lines({}), headers=own)
    assert answer.status_code == status
    assert sentence in answer.json()["detail"]
