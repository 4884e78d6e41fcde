"""Batches of lines, their broker played: which events they are, and when a key is taken."""

import asyncio
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from ingestion_layer.http.lines import batch_name, lines_in
from ingestion_layer.http.refusal import Fault, RefusedError
from tests.unit.ingestion_layer.http.played import client_of, played_server
from tests.unit.ingestion_layer.http.requests import CLICK, TOPIC

LINE = orjson.dumps({"time": CLICK["time"], "data": CLICK["data"]})
HEADERS = {"content-type": "application/x-ndjson", "idempotency-key": "2026-11-27/1"}
SOURCE = "urn:shop:till:17"


def post(
    home: Path, *bodies: bytes, too_large: Sequence[int] = ()
) -> tuple[list[httpx.Response], list[dict[str, Any]]]:
    """The answers to ``bodies`` under one key, and the events that were sent."""

    async def run() -> tuple[list[httpx.Response], list[dict[str, Any]]]:
        server, sender = played_server(home)
        answers = []
        async with client_of(server) as client:
            for number, body in enumerate(bodies):
                sender.largest = 10 if number in too_large else 10**9
                path = f"/batches/{TOPIC}"
                answers.append(await client.post(path, params={"source": SOURCE}, content=body, headers=HEADERS))
        return answers, [orjson.loads(message.value) for _, message in sender.sent]

    return asyncio.run(run())


def test_a_line_is_an_event_whose_id_follows_from_source_key_and_number(tmp_path: Path) -> None:
    (answer,), sent = post(tmp_path, b"\r\n".join([LINE, b"", LINE, b"  "]))
    namespace = uuid.uuid5(uuid.NAMESPACE_URL, "urn:tidemill:event")
    expected = [str(uuid.uuid5(namespace, f"{SOURCE}\x1f2026-11-27/1/{number}")) for number in (1, 3)]
    assert answer.json()["ids"] == [event["id"] for event in sent] == expected
    assert sent[0] == CLICK | {"source": SOURCE, "id": expected[0]}


def test_a_batch_without_lines_is_refused_and_takes_no_key(tmp_path: Path) -> None:
    (empty, _, whole), sent = post(tmp_path, b"\n", b"", LINE)
    assert (empty.status_code, whole.status_code, len(sent)) == (400, 202, 1)
    assert "no line" in empty.json()["detail"]


def test_a_key_is_not_taken_by_a_batch_that_is_refused(tmp_path: Path) -> None:
    answers, sent = post(tmp_path, b"{}", LINE + b"\n", LINE, LINE + b"\n", too_large=[1])
    assert [answer.status_code for answer in answers] == [422, 413, 202, 422]
    assert len(sent) == 1


def test_many_bad_lines_are_counted_and_the_first_hundred_told(tmp_path: Path) -> None:
    (answer,), _ = post(tmp_path, b"\n".join([b"[]"] * 150 + [LINE]))
    assert answer.json()["detail"] == "150 of 151 events are refused, so none of them was sent"
    assert [error["line"] for error in answer.json()["errors"]] == list(range(1, 101))


@pytest.mark.parametrize(
    ("text", "pointer", "reason"),
    [
        (b"{", "", "not_json"),
        (b'{"time": 1e999, "data": {}}', "/time", "unrepresentable"),
        (b'"time"', "", "schema"),
        (b'{"time": "2026-11-27T10:00:00Z"}', "", "schema"),
        (b'{"time": "2026-11-27T10:00:00Z", "data": {}, "id": "1"}', "", "schema"),
    ],
)
def test_what_is_no_line_is_named_by_its_place(text: bytes, pointer: str, reason: str) -> None:
    first, second = lines_in(LINE + b"\n" + text)
    assert not isinstance(first.content, Fault)
    assert isinstance(second.content, Fault)
    assert (second.content.place, second.content.pointer, second.content.reason) == (("line", 2), pointer, reason)


@pytest.mark.parametrize(("header", "key"), [(b"k", "k"), (b'"k 1"', None), (b'"k"', "k"), (b'"', '"'), (b" k ", "k")])
def test_a_key_may_stand_in_quotes_as_its_draft_says(header: bytes, key: str | None) -> None:
    headers = [(b"content-type", b"application/jsonl"), (b"idempotency-key", header)]
    if key is None:
        with pytest.raises(RefusedError, match="visible characters"):
            batch_name(TOPIC, headers, b"source=urn:x")
    else:
        assert batch_name(TOPIC, headers, b"source=urn%3Ax").key == key
        assert batch_name(TOPIC, headers, b"source=urn%3Ax").source == "urn:x"


@pytest.mark.parametrize("query", [b"", b"source=", b"source=a&source=b", b"source=%ff", b"source=" + b"a" * 257])
def test_a_batch_says_once_who_sends(query: bytes) -> None:
    headers = [(b"content-type", b"application/jsonl"), (b"idempotency-key", b"k")]
    with pytest.raises(RefusedError, match=r"say who sends, once|no UTF-8") as refused:
        batch_name(TOPIC, headers, query)
    assert refused.value.status == 400
