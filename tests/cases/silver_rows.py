"""Rows of any silver table, from what a contract says and the time."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any


def row(event_id: str, at: datetime, **data: Any) -> dict[str, Any]:
    """One event as silver has it, by column; ``at`` is aware."""
    return {
        "event_id": event_id,
        "event_time": at,
        "event_date": at.date(),
        "source": "test",
        **data,
        "_generation": 1,
        "_digest": 0,
        "_partition": 0,
        "_offset": 0,
        "broker_time": at,
        "ingested_at": at,
        "event_month": f"{at:%Y-%m}",
    }


def payment(event_id: str, at: datetime, parties: Mapping[str, str], amount: Decimal) -> dict[str, Any]:
    """A payment by card; ``parties`` say which, whose and where."""
    return row(event_id, at, **parties, amount=amount, currency="EUR")


def verdict(event_id: str, at: datetime, parties: Mapping[str, str], is_fraud: bool) -> dict[str, Any]:
    """What became known of a payment."""
    return row(event_id, at, **parties, is_fraud=is_fraud)
