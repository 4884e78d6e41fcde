"""Alerts by a loop over payments, which knows nothing of Flink: the judge of the job ``card_patterns``."""

import math
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

NAMESPACE = uuid.UUID("74696465-6d69-4cc3-a92d-666c696e6b2d")
SMALL, LARGE = Decimal(5), Decimal(200)
HOUR, TEN_MINUTES = timedelta(hours=1), timedelta(minutes=10)
FAR_KM, FASTEST_KM_H, EARTH_KM = 100, 1_000, 6_371
LENGTHS = {"small_then_large": 3, "velocity": 5, "far_terminals": 2}
Event = Mapping[str, Any]


def naive_alerts(payments: Iterable[Event]) -> dict[str, dict[str, Any]]:
    """The data of each alert about ``payments``, in whatever order and however often they come, by its event's id."""
    once = {identity(payment): payment for payment in payments}
    cards: dict[str, list[Event]] = defaultdict(list)
    for payment in sorted(once.values(), key=lambda payment: (moment(payment), identity(payment))):
        cards[payment["data"]["customer_id"]].append(payment)
    return dict(alert for of_card in cards.values() for alert in _alerts(of_card))


def is_alert(pattern: str, payments: list[Event]) -> bool:
    """Whether ``payments``, as they came one after another, are what ``pattern`` says, each later than that before."""
    lasted = moment(payments[-1]) - moment(payments[0])
    amounts = [Decimal(str(payment["data"]["amount"])) for payment in payments]
    if len(payments) != LENGTHS[pattern] or not _are_in_order(payments):
        return False
    if pattern == "velocity":
        return lasted < TEN_MINUTES
    if pattern == "far_terminals":
        apart = kilometres(*payments)
        return apart >= FAR_KM and apart >= lasted // timedelta(seconds=1) / 3600 * FASTEST_KM_H
    return lasted < HOUR and max(amounts[:2]) <= SMALL and amounts[2] >= LARGE


def _are_in_order(payments: list[Event]) -> bool:
    """Of two at one time, the order is that of their identities."""
    places = [(moment(payment), identity(payment)) for payment in payments]
    return places == sorted(set(places))


def kilometres(here: Event, there: Event) -> float:
    """Between the terminals of two payments on a sphere: the angle between two vectors, by its cosine."""
    pairs = zip(_direction(here["data"]), _direction(there["data"]), strict=True)
    cosine = sum(one_way * other_way for one_way, other_way in pairs)
    return EARTH_KM * math.acos(max(-1.0, min(1.0, cosine)))


def _direction(data: Mapping[str, Any]) -> tuple[float, float, float]:
    north, east = math.radians(data["terminal_latitude"]), math.radians(data["terminal_longitude"])
    return math.cos(north) * math.cos(east), math.cos(north) * math.sin(east), math.sin(north)


def identity(event: Event) -> str:
    return f"{event['source']}\x1f{event['id']}"


def moment(event: Event) -> datetime:
    """When it happened, in UTC, rounded down to a millisecond."""
    exact = datetime.fromisoformat(event["time"]).astimezone(UTC)
    return exact.replace(microsecond=exact.microsecond // 1000 * 1000)


def _alerts(payments: list[Event]) -> Iterator[tuple[str, dict[str, Any]]]:
    located = [payment for payment in payments if payment["data"].get("terminal_latitude") is not None]
    for pattern, length in LENGTHS.items():
        asked = located if pattern == "far_terminals" else payments
        for begin in range(len(asked) - length + 1):
            some = asked[begin : begin + length]
            if is_alert(pattern, some):
                yield _event(pattern, some)


def _event(pattern: str, payments: list[Event]) -> tuple[str, dict[str, Any]]:
    last = payments[-1]["data"]
    names = "\x1e".join(sorted(map(identity, payments)))
    name = f"urn:tidemill:flink:card_patterns\x1f{last['customer_id']}\x1f{names}"
    return str(uuid.uuid5(NAMESPACE, name)), {
        "customer_id": last["customer_id"],
        "terminal_id": last["terminal_id"],
        "pattern": pattern,
        "event_ids": [payment["id"] for payment in payments],
        "started_at": _text(moment(payments[0])),
        "ended_at": _text(moment(payments[-1])),
        "amount": float(last["amount"]),
    }


def _text(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
