"""Payments to events: the record that an id is made from, the time as text, the fields of the contracts."""

from collections.abc import Iterator
from typing import Any

from ingestion_layer.sources.card_simulator.cards import Cards
from ingestion_layer.sources.card_simulator.payments import Payments
from ingestion_layer.sources.card_simulator.population import draw_terminals
from ingestion_layer.sources.card_simulator.scenarios import GENUINE
from ingestion_layer.sources.simulator.events import time_texts
from tidemill.contracts.events import event_at
from tidemill.contracts.registry import contract

TRANSACTIONS = "payment.card_transaction.v1"
VERDICTS = "payment.card_verdict.v1"
CURRENCY = "EUR"


def transaction_ids(payments: Payments) -> list[str]:
    return [f"P{day}-{number:06d}" for day, number in zip(payments.day.tolist(), payments.number.tolist(), strict=True)]


def transactions(cards: Cards, payments: Payments) -> Iterator[dict[str, Any]]:
    """The events of ``payments``, in their order."""
    topic = contract(TRANSACTIONS)
    columns = (_parties(payments), payments.cents.tolist(), _places(cards, payments))
    for (time, parties), cents, place in zip(*columns, strict=True):
        data = {**parties, "amount": cents / 100, "currency": CURRENCY, **place}
        yield event_at(topic, cards.source, parties["transaction_id"], time, data)


def verdicts(cards: Cards, payments: Payments) -> Iterator[dict[str, Any]]:
    """The events of what became known of ``payments``, in their order."""
    topic = contract(VERDICTS)
    for (time, parties), is_fraud in zip(_parties(payments), (payments.scenario != GENUINE).tolist(), strict=True):
        record = f"{parties['transaction_id']}/verdict"
        yield event_at(topic, cards.source, record, time, {**parties, "is_fraud": is_fraud})


def _places(cards: Cards, payments: Payments) -> list[dict[str, float]]:
    """Where the terminal of each payment stands; nothing of cards that do not say."""
    if not cards.located:
        return [{}] * len(payments)
    terminals = draw_terminals(cards)
    degrees = terminals.latitude[payments.terminal].tolist(), terminals.longitude[payments.terminal].tolist()
    return [{"terminal_latitude": north, "terminal_longitude": east} for north, east in zip(*degrees, strict=True)]


def _parties(payments: Payments) -> Iterator[tuple[str, dict[str, str]]]:
    """The time of each event, and what both contracts say: which payment, whose, where."""
    columns = (
        time_texts(payments.time),
        transaction_ids(payments),
        payments.customer.tolist(),
        payments.terminal.tolist(),
    )
    for time, transaction, customer, terminal in zip(*columns, strict=True):
        yield (
            time,
            {
                "transaction_id": transaction,
                "customer_id": f"C{customer:06d}",
                "terminal_id": f"T{terminal:06d}",
            },
        )
