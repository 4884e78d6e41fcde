"""Order lines for tests."""

import random
import uuid
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any


@dataclass(frozen=True)
class Line:
    """One order line; ``at`` is aware."""

    at: datetime
    customer_id: str | None
    order_id: str
    product_id: str
    quantity: int
    unit_price: Decimal
    kind: str = "purchase"
    currency: str = "GBP"
    event_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def day(self) -> date:
        return self.at.astimezone(UTC).date()

    @property
    def value(self) -> Decimal:
        return self.quantity * self.unit_price


def silver_row(line: Line) -> dict[str, Any]:
    """The line as a row of silver/transactions, by column."""
    return {
        "event_id": line.event_id,
        "event_time": line.at,
        "event_date": line.day,
        "source": "test",
        "order_id": line.order_id,
        "line": 1,
        "customer_id": line.customer_id,
        "product_id": line.product_id,
        "description": None,
        "quantity": line.quantity,
        "unit_price": line.unit_price,
        "currency": line.currency,
        "country": "United Kingdom",
        "kind": line.kind,
        "_generation": 1,
        "_digest": 0,
        "_partition": 0,
        "_offset": 0,
        "broker_time": line.at,
        "ingested_at": line.at,
        "event_month": f"{line.day:%Y-%m}",
    }


def random_lines(rng: random.Random, count: int, first: date, days: int) -> list[Line]:
    """Lines of few customers, orders and products, so that repeats, guests, returns and second currencies happen."""
    lines = []
    for _ in range(count):
        customer = rng.choice([None, *(f"c{n}" for n in range(8))])
        at = datetime(first.year, first.month, first.day, tzinfo=UTC) + timedelta(
            days=rng.randrange(days), seconds=rng.choice([0, 1, 86_399, rng.randrange(86_400)])
        )
        lines.append(
            Line(
                at=at,
                customer_id=customer,
                order_id=f"{customer}-{rng.randrange(30)}",
                product_id=f"p{rng.randrange(12)}",
                quantity=rng.randrange(1, 9),
                unit_price=Decimal(rng.randrange(0, 200_000)).scaleb(-4),
                kind=rng.choices(["purchase", "return"], [8, 2])[0],
                currency="EUR" if customer == "c7" and rng.random() < 0.1 else "GBP",
            )
        )
    return lines
