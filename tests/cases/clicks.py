"""Clicks as they reach the broker: nearly in order, some late, some twice, some that no contract allows."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from tidemill.contracts import contract, event

CLICK = contract("shop.click.v1")
SOURCE = "urn:test:clicks"
START = datetime(2026, 3, 2, 20, 0, tzinfo=UTC)
LATE = timedelta(minutes=50)
"""As late as one may be that counts: less than the hour that the job waits, by what is out of order anyway."""
Event = dict[str, Any]


def click(record: str, at: datetime, **data: Any) -> Event:
    """A valid click, with fields of ``data`` changed."""
    fields = {
        "session_id": "s1",
        "customer_id": None,
        "kind": "view",
        "product_id": "P1",
        "page": "/",
        "device": "mobile",
    }
    return event(CLICK, SOURCE, record, at, {**fields, **data})


def arriving_clicks(random: Random, number: int, visitors: int, hours: float = 8.0) -> list[Event]:
    """``number`` valid clicks over some hours in the order of their arrival, 1 % of them late and 1 % twice.

    Midnight is among the hours. No two of a visitor are of the same millisecond.
    """
    moments = sorted(random.sample(range(int(hours * 3_600_000)), number))
    made = [(moment, _click(random, index, moment, visitors)) for index, moment in enumerate(moments)]
    arriving = [(moment + random.randrange(30_000), made_click) for moment, made_click in made]
    late_ms = int(LATE.total_seconds() * 1000)
    arriving = [
        (moment + (random.randrange(120_000, late_ms) if random.random() < 0.01 else 0), made_click)
        for moment, made_click in arriving
    ]
    again = [
        (moment + random.randrange(600_000), made_click) for moment, made_click in arriving if random.random() < 0.01
    ]
    return [made_click for _, made_click in sorted([*arriving, *again], key=lambda pair: pair[0])]


def later(visitors: int, hours: float) -> list[Event]:
    """Clicks of others, so much later: they move the time of every partition on."""
    at = START + timedelta(hours=hours)
    return [click(f"later {hours} {n}", at, session_id=f"later {n}") for n in range(visitors)]


def broken(clicks: list[Event]) -> list[Event]:
    """Of some clicks what silver refuses."""
    refused: list[Mapping[str, Any]] = [
        {"kind": "hover"}, {"session_id": ""}, {"device": None}, {"customer_id": "c" * 65}, {"page": None},
    ]  # fmt: skip
    return [
        {**made, "id": f"broken {n}", "data": {**made["data"], **refused[n % len(refused)]}}
        for n, made in enumerate(clicks)
    ]


def _click(random: Random, index: int, moment_ms: int, visitors: int) -> Event:
    number = random.randrange(visitors)
    kind = random.choice(("view", "view", "view", "search", "add_to_cart", "checkout"))
    return click(
        f"click {index}",
        START + timedelta(milliseconds=moment_ms, microseconds=random.randrange(1000)),
        session_id=f"s{number}",
        customer_id=f"c{number}" if number % 3 else None,
        kind=kind,
        product_id=None if kind in {"search", "checkout"} else f"P{random.randrange(50)} '\u00e9\u4e2d",
    )
