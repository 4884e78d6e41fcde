"""The job ``card_patterns`` on the real Kafka and Flink, held against a loop over the same payments."""

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from stream_processing.flink.deploying import deploy, stop
from stream_processing.flink.job import job
from tests.cases.naive_alerts import is_alert, naive_alerts
from tests.integration.stream_processing.flink.results import results, send, wait_for
from tidemill.config import Settings
from tidemill.contracts import contract, event

PAYMENTS, ALERTS = "payment.card_transaction.v1", "payment.card_alert.v1"
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
OTHERS = 40
Event = dict[str, Any]


def test_the_alerts_are_those_of_a_loop_over_the_same_payments(flink: Settings) -> None:
    payments = _arriving(Random(3), 6_000, 60)
    judged = naive_alerts(payments)
    patterns = [alert["pattern"] for alert in judged.values()]
    assert min(map(patterns.count, ("velocity", "small_then_large", "far_terminals"))) > 20
    later = [_payment(f"later {n}", START + timedelta(days=1), f"later {n}", 50.0) for n in range(OTHERS)]
    send(flink, PAYMENTS, [*payments, *later])
    deploy(flink, job("card_patterns"))
    wait_for(lambda: judged.keys() <= results(flink, ALERTS).keys(), "every alert of the judge was sent")

    sent = results(flink, ALERTS)
    assert {name: alert for name, alert in sent.items() if name in judged} == judged
    by_id = {payment["id"]: payment for payment in payments}
    for name in sent.keys() - judged.keys():  # sent before a payment came that was made in between
        assert is_alert(sent[name]["pattern"], [by_id[event_id] for event_id in sent[name]["event_ids"]])
    stop(flink, "card_patterns")


def _arriving(random: Random, number: int, cards: int) -> list[Event]:
    """Payments of a day in the order of their arrival: within 40 s of their times, 1 % of them twice."""
    seconds = [random.uniform(0, 6 * 3600) for _ in range(number)]
    made = [
        (
            at,
            _payment(
                f"payment {n}",
                START + timedelta(seconds=at),
                f"c{random.randrange(cards)}",
                _amount(random),
                **_place(random),
            ),
        )
        for n, at in enumerate(seconds)
    ]
    arriving = [(at + random.uniform(0, 20), payment) for at, payment in made]
    again = [(at + random.uniform(0, 20), payment) for at, payment in arriving if random.random() < 0.01]
    return [payment for _, payment in sorted([*arriving, *again], key=lambda pair: pair[0])]


def _amount(random: Random) -> float:
    return round(random.choice((random.uniform(0.5, 5), random.uniform(5, 199), random.uniform(200, 900))), 2)


def _place(random: Random) -> dict[str, float | None]:
    """Of a terminal: nine in ten in one city, one up to 500 km from it; a third do not say."""
    if random.random() < 1 / 3:
        return random.choice(({}, {"terminal_latitude": None, "terminal_longitude": None}))
    away = random.uniform(0, 4) if random.random() < 0.1 else random.uniform(0, 0.1)
    return {"terminal_latitude": 50.0 + away, "terminal_longitude": 5.0 - away}


def _payment(record: str, at: datetime, customer: str, amount: float, **place: float | None) -> Event:
    data = {"transaction_id": record, "customer_id": customer, "terminal_id": "t1", "amount": amount, "currency": "EUR"}
    return event(contract(PAYMENTS), "urn:test:payments", record, at, {**data, **place})
