"""The CloudEvents HTTP binding 1.0: which events a request brings, in whichever of the three modes."""

from collections.abc import Sequence
from typing import Any

from ingestion_layer.http.attributes import CHARSETS, attributes_in
from ingestion_layer.http.refusal import Fault, RefusedError
from tidemill.contracts import Reason
from tidemill.contracts.json_text import BeyondLimitsError, NotJsonError, parse, parse_array

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
TAKEN = f"{STRUCTURED}, {BATCH}, or application/json with the event's attributes in ce- headers"

RawHeaders = Sequence[tuple[bytes, bytes]]


def events_in(headers: RawHeaders, body: bytes) -> tuple[list[Any], bool]:
    """What the body says is an event, unjudged; and whether the request is a batch.

    Raises:
        RefusedError: 415 the content is of another type; 400 it is no JSON; 422 it is JSON that nobody computes with.
    """
    declared = content_type(headers)
    match media_type(declared):
        case "application/cloudevents+json":
            return [read_json(body)], False
        case "application/cloudevents-batch+json":
            return _batch(body), True
        case "application/json" | "":  # the SDK states no type where the event has none
            return [_binary(headers, declared, body)], False
    raise RefusedError(415, f"the Content-Type {declared[:64]!r} is not taken: send {TAKEN}")


def content_type(headers: RawHeaders) -> str:
    return next((value.decode("latin-1") for name, value in headers if name == b"content-type"), "")


def media_type(declared: str) -> str:
    """The type without its parameters; text is UTF-8.

    Raises:
        RefusedError: 415, it is in another encoding.
    """
    kind, _, parameters = declared.partition(";")
    charset = parameters.lower().replace(" ", "").replace('"', "").partition("charset=")[2]
    if charset and charset not in CHARSETS:
        raise RefusedError(415, f"the charset {charset[:32]!r} is not taken: JSON is sent in UTF-8")
    return kind.strip().lower()


def read_json(body: bytes, within: tuple[str, ...] = ()) -> Any:
    """The value of a JSON text that is at ``within`` in its event.

    Raises:
        RefusedError: 400 it is no JSON; 422 it is JSON that nobody computes with.
    """
    try:
        return parse(body)
    except NotJsonError as error:
        raise _unreadable(400, Reason.NOT_JSON, within, str(error)) from None
    except BeyondLimitsError as error:
        raise _unreadable(422, Reason.UNREPRESENTABLE, (*within, *error.path), str(error)) from None


def _batch(body: bytes) -> list[Any]:
    try:
        events = parse_array(body)
    except NotJsonError as error:
        raise _unreadable(400, Reason.NOT_JSON, (), str(error)) from None
    except BeyondLimitsError as error:
        raise _unreadable(422, Reason.UNREPRESENTABLE, error.path, str(error)) from None
    if not isinstance(events, list):
        raise _unreadable(400, Reason.NOT_CLOUDEVENT, (), "a batch is a JSON array of events")
    return events


def _binary(headers: RawHeaders, declared: str, body: bytes) -> dict[str, Any]:
    attributes = attributes_in(headers)
    if "specversion" not in attributes:
        raise RefusedError(415, f"no header ce-specversion, so this is no event in binary mode: send {TAKEN}")
    attributes["datacontenttype"] = declared or None
    attributes["data"] = read_json(body, ("data",))
    return attributes


def _unreadable(status: int, reason: Reason, path: Sequence[str | int], message: str) -> RefusedError:
    pointer = "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)
    return RefusedError(status, f"{pointer}: {message}"[:300], faults=(Fault(pointer, reason, message[:300]),))
