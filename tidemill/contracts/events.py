"""CloudEvents 1.0 in structured JSON, with identifiers that a replay repeats."""

import hashlib
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from tidemill.contracts.registry import Contract

if TYPE_CHECKING:
    from hashlib import _Hash

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:tidemill:event")


def event_id(source: str, record: str) -> str:
    """The id of the event made from ``record`` of ``source``: the same record always gets the same id.

    A UUIDv5 (RFC 9562, 5.5) of :data:`NAMESPACE` and both texts; equals :func:`uuid.uuid5`, four times as fast.
    """
    digest = _source_digest(source).copy()
    digest.update(record.encode())
    text = digest.hexdigest()
    variant = "89ab"[int(text[16], 16) & 3]
    return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{variant}{text[17:20]}-{text[20:32]}"


@lru_cache(maxsize=1024)
def _source_digest(source: str) -> "_Hash":
    return hashlib.sha1(NAMESPACE.bytes + f"{source}\x1f".encode(), usedforsecurity=False)


def event(contract: Contract, source: str, record: str, time: datetime, data: Mapping[str, Any]) -> dict[str, Any]:
    """The CloudEvent of one record; ``time`` must be aware.

    Raises:
        ValueError: ``time`` has no time zone.
    """
    return event_at(contract, source, record, event_time(time), data)


def event_at(contract: Contract, source: str, record: str, time: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """The CloudEvent of one record whose ``time`` is already RFC 3339 text in UTC, as :func:`event_time` writes it."""
    return {
        "specversion": "1.0",
        "id": event_id(source, record),
        "source": source,
        "type": contract.topic,
        "time": time,
        "datacontenttype": "application/json",
        "dataschema": contract.dataschema,
        "data": data,
    }


def event_time(time: datetime) -> str:
    """``time`` as RFC 3339 text in UTC with microseconds.

    Raises:
        ValueError: ``time`` has no time zone.
    """
    if time.tzinfo is None:
        raise ValueError(f"event time {time.isoformat()} has no time zone")
    return time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
