"""Days of order lines as a quiet shop has them, and what can go wrong with one: each fault by itself."""

import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from tests.cases.transactions import Line

PRODUCTS = tuple(f"p{number}" for number in range(20))
LINES_A_DAY = 60


def quiet_day(day: date) -> list[Line]:
    """Sixty lines of known products, at hours all over the day; each of an order of its own."""
    rng = random.Random(day.toordinal())
    return [_line(rng, day, number) for number in range(LINES_A_DAY)]


def _line(rng: random.Random, day: date, number: int) -> Line:
    at = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(minutes=24 * number)
    price = Decimal(rng.randrange(10_000, 90_000)).scaleb(-4)
    customer = None if number % 10 == 0 else f"c{number % 7}"
    return Line(at, customer, f"o-{day}-{number}", rng.choice(PRODUCTS), rng.randrange(1, 4), price)


def most_are_missing(lines: list[Line]) -> list[Line]:
    return lines[::6]


def customers_are_forgotten(lines: list[Line]) -> list[Line]:
    return [replace(line, customer_id=None) for line in lines]


def sent_again_a_day_later(lines: list[Line]) -> list[Line]:
    """Of two lines a copy of those of the day before, under other ids: no duplicate by silver's key."""
    copies = [
        replace(line, at=line.at + timedelta(days=1), event_id=f"again-{line.event_id}") for line in _before(lines)
    ]
    return [*lines[2:], *copies[:2]]


def _before(lines: list[Line]) -> list[Line]:
    return quiet_day(lines[0].day - timedelta(days=1))


def of_unknown_products(lines: list[Line]) -> list[Line]:
    return [replace(line, product_id=f"x{line.product_id}") for line in lines]


def in_pence(lines: list[Line]) -> list[Line]:
    return [replace(line, unit_price=line.unit_price * 100) for line in lines]


FAULTS: Mapping[str, Callable[[list[Line]], list[Line]]] = {
    "lines_once": sent_again_a_day_later,
    "volume": most_are_missing,
    "guests": customers_are_forgotten,
    "products_known": of_unknown_products,
    "amounts": in_pence,
}
"""By the expectation of the shop's suite that is to see it; the first needs a quiet day before it."""
