"""Rows to events: the record that an id is made from, the time as text, the fields of the contract."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ingestion_layer.sources.simulator.catalogue import CATEGORIES
from ingestion_layer.sources.simulator.clicks import CHECKOUT, DEVICES, KINDS, SEARCH, VIEW, Clicks, clicks_of
from ingestion_layer.sources.simulator.columns import Ints
from ingestion_layer.sources.simulator.customers import COUNTRIES
from ingestion_layer.sources.simulator.orders import GUEST, Lines, Orders
from ingestion_layer.sources.simulator.profiles import SignUps, sign_ups
from ingestion_layer.sources.simulator.shop import GROUPS
from tidemill.contracts.events import event_at
from tidemill.contracts.registry import contract

TRANSACTIONS = "shop.transaction.v1"
CLICKS = "shop.click.v1"
CUSTOMERS = "shop.customer.v1"
CURRENCY = "GBP"

Rows = Lines | Clicks | SignUps
RecordName = Callable[[str, str], str]


def as_in_history(record: str, _time: str) -> str:
    """A record of the history is named by its row: its time follows from it."""
    return record


def as_live(record: str, time: str) -> str:
    """A live record is named by its row and the moment it was sent, since the same row may be sent at two moments."""
    return f"{record}@{time}"


def time_texts(time: Ints) -> list[str]:
    """Microseconds since 1970 as RFC 3339 texts."""
    return [f"{text}Z" for text in np.datetime_as_string(time.astype("datetime64[us]")).tolist()]


def rows_of(orders: Orders, topic: str, day: int) -> Rows:
    """What happens on ``day`` of what ``topic`` is about, ordered by time."""
    if topic == TRANSACTIONS:
        return orders.day(day)
    if topic == CLICKS:
        return clicks_of(orders, day)
    return sign_ups(orders.shop, orders.customers.joined, day)


def events(
    orders: Orders, rows: Rows, times: Sequence[str] | None = None, name: RecordName = as_in_history
) -> list[dict[str, Any]]:
    """The events of ``rows``, in their order; ``times`` replace the rows' own."""
    texts = time_texts(rows.time) if times is None else times
    if isinstance(rows, Lines):
        return _transactions(orders, rows, texts, name)
    if isinstance(rows, SignUps):
        return _profiles(orders, rows, texts, name)
    return _clicks(orders, rows, texts, name)


def _transactions(orders: Orders, rows: Lines, times: Sequence[str], name: RecordName) -> list[dict[str, Any]]:
    source, topic = orders.shop.source, contract(TRANSACTIONS)
    ids, descriptions, customers = orders.catalogue.ids, orders.catalogue.descriptions, orders.customers.ids
    columns = (rows.day, rows.order, rows.line, rows.customer, rows.country, rows.product, rows.quantity, rows.pence)
    made = []
    for time, is_return, day, order, line, customer, country, product, quantity, pence in zip(
        times, rows.is_return.tolist(), *(column.tolist() for column in columns), strict=True
    ):
        order_id = f"{'R' if is_return else 'O'}{day}-{order:05d}"
        data = {
            "order_id": order_id,
            "line": line,
            "customer_id": None if customer == GUEST else customers[customer],
            "product_id": ids[product],
            "description": descriptions[product],
            "quantity": quantity,
            "unit_price": pence / 100,
            "currency": CURRENCY,
            "country": COUNTRIES[country],
            "kind": "return" if is_return else "purchase",
        }
        made.append(event_at(topic, source, name(f"{order_id}/{line}", time), time, data))
    return made


def _clicks(orders: Orders, rows: Clicks, times: Sequence[str], name: RecordName) -> list[dict[str, Any]]:
    source, topic = orders.shop.source, contract(CLICKS)
    ids, customers = orders.catalogue.ids, orders.customers.ids
    columns = (rows.day, rows.session, rows.step, rows.customer, rows.kind, rows.product, rows.device)
    made = []
    for time, day, session, step, customer, kind, product, device in zip(
        times, *(column.tolist() for column in columns), strict=True
    ):
        session_id = f"S{day}-{session:06d}"
        product_id = ids[product] if product >= 0 else None
        data = {
            "session_id": session_id,
            "customer_id": None if customer == GUEST else customers[customer],
            "kind": KINDS[kind],
            "product_id": product_id,
            "page": _page(kind, product_id, session),
            "device": DEVICES[device],
        }
        made.append(event_at(topic, source, name(f"{session_id}/{step}", time), time, data))
    return made


def _profiles(orders: Orders, rows: SignUps, times: Sequence[str], name: RecordName) -> list[dict[str, Any]]:
    source, topic = orders.shop.source, contract(CUSTOMERS)
    ids, profiles = orders.customers.ids, orders.customers.profiles
    said = {field: getattr(profiles, field)[rows.customer].tolist() for field in GROUPS}
    made = []
    for number, (time, customer) in enumerate(zip(times, rows.customer.tolist(), strict=True)):
        groups = {field: GROUPS[field][values[number]] for field, values in said.items()}
        data = {"customer_id": ids[customer], **groups}
        made.append(event_at(topic, source, name(ids[customer], time), time, data))
    return made


def _page(kind: int, product_id: str | None, session: int) -> str:
    if kind == VIEW:
        return f"/product/{product_id}"
    if kind == SEARCH:
        return f"/search?q={_SEARCHES[session % len(_SEARCHES)]}"
    return "/checkout" if kind == CHECKOUT else "/cart"


_SEARCHES = tuple(CATEGORIES)
