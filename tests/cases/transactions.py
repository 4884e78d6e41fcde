"""Order lines for tests, and what gold should make of them, computed line by line in plain Python."""

import random
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
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


Row = Mapping[str, Any]


def naive_snapshot(lines: Iterable[Line], day: date) -> dict[str, Row]:
    """Features by customer at the start of ``day``, by looking back over all lines once for each customer."""
    by_customer: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        if line.customer_id is not None and line.day < day:
            by_customer[line.customer_id].append(line)
    return {
        customer: _naive_features(own, day)
        for customer, own in by_customer.items()
        if any(line.kind == "purchase" for line in own)
    }


def _naive_features(lines: Sequence[Line], day: date) -> Row:
    def within(window: int, kind: str) -> list[Line]:
        return [line for line in lines if line.kind == kind and line.day >= day - timedelta(days=window)]

    def money(window: int, kind: str) -> float:
        return float(sum((line.value for line in within(window, kind)), Decimal()))

    def net(window: int) -> float:
        bought, returned = (
            sum((line.value for line in within(window, kind)), Decimal()) for kind in ("purchase", "return")
        )
        return float(bought - returned)

    purchase_days = sorted({line.day for line in lines if line.kind == "purchase"})
    has_one_currency = len({line.currency for line in lines}) == 1
    orders = {window: len({line.order_id for line in within(window, "purchase")}) for window in (30, 90, 365)}
    return {
        "recency_days": float((day - purchase_days[-1]).days),
        "tenure_days": float((day - purchase_days[0]).days),
        **{f"frequency_{window}d": float(count) for window, count in orders.items()},
        **{f"monetary_{window}d": net(window) if has_one_currency else None for window in (30, 90, 365)},
        **{f"returns_{window}d": money(window, "return") if has_one_currency else None for window in (90, 365)},
        "basket_mean_365d": money(365, "purchase") / orders[365] if has_one_currency and orders[365] else None,
        "products_365d": float(len({line.product_id for line in within(365, "purchase")})),
        "gap_mean_days": (purchase_days[-1] - purchase_days[0]).days / (len(purchase_days) - 1)
        if len(purchase_days) > 1
        else None,
    }
