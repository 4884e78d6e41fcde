"""CloudEvents 1.0 in structured JSON, with identifiers that a replay repeats."""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from contracts.registry import Contract

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:tidemill:event")


def event_id(source: str, record: str) -> str:
    """The id of the event made from ``record`` of ``source``: the same record always gets the same id (UUIDv5)."""
    return str(uuid.uuid5(NAMESPACE, f"{source}\x1f{record}"))


def event(contract: Contract, source: str, record: str, time: datetime, data: Mapping[str, Any]) -> dict[str, Any]:
    """The CloudEvent of one record; ``time`` must be aware.

    Raises:
        ValueError: ``time`` has no time zone.
    """
    if time.tzinfo is None:
        raise ValueError(f"event time {time.isoformat()} has no time zone")
    return {
        "specversion": "1.0",
        "id": event_id(source, record),
        "source": source,
        "type": contract.topic,
        "time": time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "dataschema": contract.dataschema,
        "data": data,
    }
