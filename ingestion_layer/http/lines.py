"""Batches of lines from clients that make no ids: a till that has what it sold, and a name for the batch."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from ingestion_layer.http.binding import RawHeaders, content_type, media_type, read_json
from ingestion_layer.http.receipts import BatchName
from ingestion_layer.http.refusal import Fault, RefusedError
from tidemill.contracts import Contract, Reason, event_at

TYPES = ("application/jsonl", "application/x-ndjson")
PARTS = frozenset({"time", "data"})
MAX_KEY = 128
KEY_HEADER = b"idempotency-key"
_KEY = re.compile(rf"[!-~]{{1,{MAX_KEY}}}")


@dataclass(frozen=True)
class Line:
    """One line of a batch, by its number in the body from 1 on."""

    number: int
    content: Mapping[str, Any] | Fault

    @property
    def place(self) -> tuple[str, int]:
        return "line", self.number


def batch_name(topic: str, headers: RawHeaders, query: bytes) -> BatchName:
    """What the request calls its batch.

    Raises:
        RefusedError: 400, it has no key or no source; 415, its content is of another type.
    """
    declared = content_type(headers)
    if media_type(declared) not in TYPES:
        raise RefusedError(415, f"the Content-Type {declared[:64]!r} is not taken: send {' or '.join(TYPES)}")
    return BatchName(topic, _source(query), _key(headers))


def lines_in(body: bytes) -> Iterator[Line]:
    """The lines that are not empty."""
    for number, text in enumerate(body.split(b"\n"), start=1):
        if plain := text.strip():
            yield Line(number, _content(plain, ("line", number)))


def event_of(contract: Contract, name: BatchName, number: int, content: Mapping[str, Any]) -> dict[str, Any]:
    """The event of a line: its id follows from the source, the key and the number of the line, so it is always this."""
    return event_at(contract, name.source, f"{name.key}/{number}", content["time"], content["data"])


def _content(text: bytes, place: tuple[str, int]) -> Mapping[str, Any] | Fault:
    try:
        line = read_json(text)
    except RefusedError as error:
        fault = error.faults[0]
        return Fault(fault.pointer, fault.reason, fault.message, place=place)
    if not isinstance(line, dict):
        return Fault("", Reason.SCHEMA, 'a line is an object with "time" and "data"', place=place)
    if line.keys() != PARTS:
        told = ", ".join(sorted(map(str, line)))[:100] or "nothing"
        return Fault("", Reason.SCHEMA, f'a line has "time" and "data", and this one {told}', place=place)
    return line


def _source(query: bytes) -> str:
    try:
        given = parse_qs(query.decode("latin-1"), keep_blank_values=True, errors="strict").get("source", [])
    except UnicodeDecodeError:
        raise RefusedError(400, "the address is no UTF-8 after percent-decoding") from None
    if len(given) != 1 or not 1 <= len(given[0]) <= 256:
        raise RefusedError(400, "say who sends, once, in the address: ?source=urn:shop:till:17")
    return given[0]


def _key(headers: RawHeaders) -> str:
    """The draft of the header has it in double quotes, and many clients leave them out."""
    given = [value.decode("latin-1").strip() for name, value in headers if name == KEY_HEADER]
    if len(given) != 1:
        raise RefusedError(400, "name the batch in one header Idempotency-Key: sent again, it has the same")
    key = given[0]
    if len(key) > 1 and key.startswith('"') and key.endswith('"'):
        key = key[1:-1]
    if not _KEY.fullmatch(key):
        raise RefusedError(400, f"Idempotency-Key has 1 to {MAX_KEY} visible characters of ASCII")
    return key
