"""Payments by card as they reach the broker: nearly in order, some late, some twice, most with a place."""

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from tidemill.contracts import contract, event

PAYMENT = contract("payment.card_transaction.v1")
SOURCE = "urn:test:payments"
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
LATE_S = 50
"""As late as one may be that counts: less than the minute that the job waits, by what is out of order anyway."""
Event = dict[str, Any]


def payment(record: str, at: datetime, customer: str, amount: float, **place: float | None) -> Event:
    """A valid payment."""
    data = {"transaction_id": record, "customer_id": customer, "terminal_id": "t1", "amount": amount, "currency": "EUR"}
    return event(PAYMENT, SOURCE, record, at, {**data, **place})


def arriving_payments(random: Random, number: int, cards: int, hours: float = 6.0) -> list[Event]:
    """``number`` payments over some hours in the order of their arrival, 1 % of them late and 1 % twice."""
    moments = [random.uniform(0, hours * 3600) for _ in range(number)]
    made = [(at, _payment(random, index, at, cards)) for index, at in enumerate(moments)]
    arriving = [(at + _delay_s(random), made_payment) for at, made_payment in made]
    again = [(at + random.uniform(0, 600), made_payment) for at, made_payment in arriving if random.random() < 0.01]
    return [made_payment for _, made_payment in sorted([*arriving, *again], key=lambda pair: pair[0])]


def later_payments(cards: int) -> list[Event]:
    """Payments of others on the next day: they move the time of every partition on."""
    return [payment(f"later {n}", START + timedelta(days=1), f"later {n}", 50.0) for n in range(cards)]


def _payment(random: Random, index: int, at_s: float, cards: int) -> Event:
    card, at = f"c{random.randrange(cards)}", START + timedelta(seconds=at_s)
    return payment(f"payment {index}", at, card, _amount(random), **_place(random))


def _delay_s(random: Random) -> float:
    return random.uniform(5, LATE_S) if random.random() < 0.01 else random.uniform(0, 5)


def _amount(random: Random) -> float:
    return round(random.choice((random.uniform(0.5, 5), random.uniform(5, 199), random.uniform(200, 900))), 2)


def _place(random: Random) -> dict[str, float | None]:
    """Of a terminal: nine in ten in one city, one up to 500 km from it; a third do not say."""
    if random.random() < 1 / 3:
        return random.choice(({}, {"terminal_latitude": None, "terminal_longitude": None}))
    away = random.uniform(0, 4) if random.random() < 0.1 else random.uniform(0, 0.1)
    return {"terminal_latitude": 50.0 + away, "terminal_longitude": 5.0 - away}
