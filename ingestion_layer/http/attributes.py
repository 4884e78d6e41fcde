"""CloudEvents attributes in HTTP headers, and the one order in which an event is written."""

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from ingestion_layer.http.refusal import Fault, RefusedError
from tidemill.contracts import Contract, Reason

PREFIX = b"ce-"
FIRST = ("specversion", "id", "source", "type", "time", "datacontenttype", "dataschema")
JSON = "application/json"
_FIRST = frozenset(FIRST) | {"data"}
_NAME = re.compile(rb"[a-z0-9]+")
_QUOTED = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)


def attributes_in(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, Any]:
    """The attributes that ``ce-`` headers state (CloudEvents HTTP binding 1.0.2, 3.1.3).

    Raises:
        RefusedError: 400, a header says nothing an attribute can hold, or comes twice.
    """
    attributes: dict[str, Any] = {}
    for header, value in headers:
        if not header.startswith(PREFIX):
            continue
        name = header[len(PREFIX) :].decode("latin-1")
        if not _NAME.fullmatch(header, len(PREFIX)) or name == "data":
            raise _refused(name, f"the header ce-{name} names no attribute: only letters and digits, and not data")
        if name in attributes:
            raise _refused(name, f"the header ce-{name} comes twice")
        attributes[name] = _text(name, value)
    return attributes


def _text(name: str, value: bytes) -> str:
    """First quoted strings are read (RFC 9110, 5.6.4), then percent-encoding, once; what that leaves is UTF-8."""
    plain = _ESCAPED.sub(rb"\1", value[1:-1]) if _QUOTED.fullmatch(value) else value
    try:
        return (unquote_to_bytes(plain) if b"%" in plain else plain).decode()
    except UnicodeDecodeError:
        raise _refused(name, f"the header ce-{name} is no UTF-8 after percent-decoding") from None


def _refused(name: str, message: str) -> RefusedError:
    pointer = f"/{name.replace('~', '~0').replace('/', '~1')}"
    return RefusedError(400, message, faults=(Fault(pointer, Reason.NOT_CLOUDEVENT, message),))


def completed(contract: Contract, event: Mapping[str, Any]) -> dict[str, Any]:
    """``event`` in the order in which every event is written, with what it may leave out.

    An attribute that is null is not there (CloudEvents JSON format 1.0.2, 3.1), data without a type are JSON (3.1),
    and what is sent to a topic is of its contract. The id and the time are never made up: sent again, the event
    would have others.
    """
    given = {"dataschema": contract.dataschema} | {name: value for name, value in event.items() if value is not None}
    given["datacontenttype"] = _content_type(given.get("datacontenttype"))
    made = {name: given[name] for name in FIRST if name in given}
    made.update((name, given[name]) for name in sorted(given.keys() - _FIRST))
    if "data" in event:
        made["data"] = event["data"]
    return made


def _content_type(declared: Any) -> Any:
    """Text in JSON is UTF-8 whether or not its type says so."""
    if declared is None or declared == JSON:
        return JSON
    if isinstance(declared, str) and declared.lower().replace(" ", "").replace('"', "") in _SPELLINGS:
        return JSON
    return declared


CHARSETS = ("utf-8", "utf8", "us-ascii")
"""What JSON may be said to be written in: the last is a part of the first."""
_SPELLINGS = (JSON, f"{JSON};", *(f"{JSON};charset={charset}" for charset in CHARSETS))
