"""The simulated shop: the same whatever the chunks, valid by contract, and true to its own truth."""

from collections import Counter
from datetime import date, datetime
from typing import Any

import numpy as np
import pytest

from ingestion_layer.kafka.producer import Outgoing, RawMessage
from ingestion_layer.sources.simulator import deliveries as deliveries_module
from ingestion_layer.sources.simulator.clicks import KINDS, clicks_of
from ingestion_layer.sources.simulator.deliveries import TOPICS, History, messages
from ingestion_layer.sources.simulator.events import CLICKS, TRANSACTIONS, events
from ingestion_layer.sources.simulator.faults import REASONS, Faults
from ingestion_layer.sources.simulator.orders import GUEST, Orders
from ingestion_layer.sources.simulator.shop import Drift, Shop, ShopError, day_of
from ingestion_layer.sources.simulator.truth import PlantedFault
from tidemill.contracts import checker

SHOP = Shop(seed=11, customers=400, start=date(2025, 1, 1), end=date(2025, 3, 1))
EVERY_FAULT = Faults(**dict.fromkeys(Faults.__dataclass_fields__, 0.05))


def all_messages(shop: Shop, faults: Faults) -> dict[str, tuple[list[Outgoing], list[PlantedFault]]]:
    history = History(Orders(shop), faults)
    result: dict[str, tuple[list[Outgoing], list[PlantedFault]]] = {topic: ([], []) for topic in TOPICS}
    for day in range(shop.first_day, shop.last_day):
        for topic in TOPICS:
            for part in history.day(topic, day).slices():
                outgoing, planted = messages(history.orders, part)
                result[topic][0].extend(outgoing)
                result[topic][1].extend(planted)
    return result


def time_of(event: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(event["time"])


@pytest.fixture(scope="module")
def sent() -> dict[str, tuple[list[Outgoing], list[PlantedFault]]]:
    return all_messages(SHOP, EVERY_FAULT)


def test_the_same_seed_gives_the_same_messages_in_any_chunks(
    sent: dict[str, tuple[list[Outgoing], list[PlantedFault]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries_module, "SLICE", 7)
    assert all_messages(SHOP, EVERY_FAULT) == sent


def test_a_day_does_not_depend_on_the_days_asked_for_before() -> None:
    day = SHOP.first_day + 40
    fresh = History(Orders(SHOP), EVERY_FAULT).day(TRANSACTIONS, day)
    used = History(Orders(SHOP), EVERY_FAULT)
    for earlier in reversed(range(SHOP.first_day, day)):
        used.day(TRANSACTIONS, earlier)
    assert messages(used.orders, used.day(TRANSACTIONS, day)) == messages(used.orders, fresh)


def test_another_seed_is_another_shop() -> None:
    other = Shop(seed=12, customers=400, start=SHOP.start, end=SHOP.end)
    day = SHOP.first_day
    first, second = (events(orders, orders.day(day)) for orders in (Orders(SHOP), Orders(other)))
    assert {event["id"] for event in first}.isdisjoint(event["id"] for event in second)


def test_without_faults_every_message_is_a_distinct_valid_event_of_its_day() -> None:
    ids = set()
    count = 0
    for topic, (outgoing, planted) in all_messages(SHOP, Faults()).items():
        assert planted == []
        for event in outgoing:
            assert isinstance(event, dict)
            assert checker(topic).check(event) is None
            assert SHOP.start <= time_of(event).date() < SHOP.end
            ids.add(event["id"])
            count += 1
    assert len(ids) == count > 5000


def test_without_faults_events_come_in_the_order_of_their_times() -> None:
    for outgoing, _ in all_messages(SHOP, Faults()).values():
        times = [event["time"] for event in outgoing if isinstance(event, dict)]
        assert times == sorted(times)


def test_planted_faults_are_exactly_the_bad_messages(
    sent: dict[str, tuple[list[Outgoing], list[PlantedFault]]],
) -> None:
    for topic, (outgoing, planted) in sent.items():
        found = Counter()
        for message in outgoing:
            if isinstance(message, RawMessage):
                rejection = checker(topic).check_bytes(message.value)
                found[rejection.reason if rejection else None] += 1
        expected = Counter(fault.reason for fault in planted if fault.reason)
        # Valid by contract; only the lake knows the broker's time.
        assert found.pop(None) == expected.pop(REASONS["wrong_time"], 0)
        assert found == expected


def test_duplicates_and_ids_are_exactly_the_planted_ones(
    sent: dict[str, tuple[list[Outgoing], list[PlantedFault]]],
) -> None:
    clean = all_messages(SHOP, Faults())
    for topic, (outgoing, planted) in sent.items():
        times_sent = Counter(message["id"] for message in outgoing if isinstance(message, dict))
        assert set(times_sent) == {event["id"] for event in clean[topic][0] if isinstance(event, dict)}
        again = [identity for identity, count in times_sent.items() if count == 2]
        assert sorted(again) == sorted(fault.event_id for fault in planted if fault.kind == "duplicate")
        assert max(times_sent.values()) == 2


def test_a_duplicate_is_the_same_event_and_comes_later(
    sent: dict[str, tuple[list[Outgoing], list[PlantedFault]]],
) -> None:
    outgoing, planted = sent[TRANSACTIONS]
    twice = {fault.event_id for fault in planted if fault.kind == "duplicate"}
    first: dict[str, Outgoing] = {}
    for message in outgoing:
        if isinstance(message, dict) and message["id"] in twice:
            assert first.setdefault(message["id"], message) == message


def test_late_events_come_after_events_of_a_later_time(
    sent: dict[str, tuple[list[Outgoing], list[PlantedFault]]],
) -> None:
    outgoing, planted = sent[CLICKS]
    late = {fault.event_id for fault in planted if fault.kind == "late"}
    newest, behind = "", set()
    for message in outgoing:
        if isinstance(message, dict):
            if message["time"] < newest:
                behind.add(message["id"])
            newest = max(newest, message["time"])
    repeated = {fault.event_id for fault in planted if fault.kind == "duplicate"}
    assert behind <= late | repeated
    assert len(late & behind) >= 0.99 * len(late)


def test_ids_of_bad_messages_are_nobodys() -> None:
    sent = all_messages(SHOP, EVERY_FAULT)
    planted = [fault.event_id for _, faults in sent.values() for fault in faults if fault.reason]
    good = {message["id"] for outgoing, _ in sent.values() for message in outgoing if isinstance(message, dict)}
    assert len(set(planted)) == len(planted)
    assert good.isdisjoint(planted)


def test_who_churned_buys_no_more_and_nobody_buys_before_joining() -> None:
    orders = Orders(SHOP)
    for day in range(SHOP.first_day, SHOP.last_day):
        bought = orders.bought(day)
        customer = bought.customer[bought.customer != GUEST]
        assert (orders.customers.joined[customer] <= day).all()
        assert (orders.customers.churned[customer] > day).all()


def test_what_is_returned_was_bought_at_that_price() -> None:
    orders = Orders(SHOP)
    days = [orders.day(day) for day in range(SHOP.first_day, SHOP.last_day)]
    columns = ("day", "order", "line", "customer", "product", "pence")
    bought, returned = {}, 0
    for lines in days:
        rows = zip(*(getattr(lines, name).tolist() for name in columns), strict=True)
        for row, is_return, quantity in zip(rows, lines.is_return.tolist(), lines.quantity.tolist(), strict=True):
            if is_return:
                assert 1 <= quantity <= bought[row]
                returned += 1
            else:
                bought[row] = quantity
    assert returned > 20


def test_what_is_bought_was_put_in_the_cart_in_the_same_session_before() -> None:
    orders = Orders(SHOP)
    day = SHOP.first_day + 3
    clicks, bought = clicks_of(orders, day), orders.bought(day)
    checkouts = sum(event["data"]["kind"] == "checkout" for event in events(orders, clicks))
    in_carts = Counter(
        event["data"]["product_id"] for event in events(orders, clicks) if event["data"]["page"] == "/cart"
    )
    assert checkouts == len(set(bought.order.tolist()))
    assert Counter(orders.catalogue.ids[product] for product in bought.product.tolist()) <= in_carts
    ordered_at = dict(zip(bought.order.tolist(), bought.time.tolist(), strict=True))
    for session, kind, time in zip(clicks.session.tolist(), clicks.kind.tolist(), clicks.time.tolist(), strict=True):
        assert KINDS[kind] != "checkout" or time < ordered_at[session]


def test_december_sells_more_than_august() -> None:
    shop = Shop(seed=5, customers=500, start=date(2024, 7, 1), end=date(2025, 1, 1))
    orders = Orders(shop)
    per_month = Counter()
    for day in range(shop.first_day, shop.last_day):
        per_month[day_of(day).month] += orders.purchase_rates(day).sum() / max(
            (orders.customers.interest(day) > 0).sum(), 1
        )
    assert per_month[12] > 1.3 * per_month[8]


def test_prices_fall_with_sensitivity() -> None:
    orders = Orders(SHOP)
    random = np.random.default_rng(0)
    category = np.zeros(20_000, dtype=np.int64)
    careful, careless = (
        orders.catalogue.pence[orders.catalogue.choose(random, category, np.full(20_000, level))].mean()
        for level in (0.9, 0.1)
    )
    assert careful < 0.8 * careless


def test_drift_changes_prices_and_rates_from_its_day_on_and_nothing_before() -> None:
    start = date(2025, 2, 1)
    plain = Orders(SHOP)
    drifted = Orders(Shop(11, 400, SHOP.start, SHOP.end, drift=Drift(start, price=2.0, rate=0.5, taste=0.0)))
    before, after = ((day - date(1970, 1, 1)).days for day in (date(2025, 1, 31), start))
    assert (drifted.bought(before).pence == plain.bought(before).pence).all()
    assert drifted.purchase_rates(after).sum() == pytest.approx(0.5 * plain.purchase_rates(after).sum())
    assert drifted.bought(after).pence.tolist() == (2 * plain.catalogue.pence[drifted.bought(after).product]).tolist()


@pytest.mark.parametrize("values", [{"customers": 0}, {"browsing": -1.0}, {"end": date(2025, 1, 1)}, {"seed": -1}])
def test_values_that_make_no_shop_are_an_error(values: dict[str, Any]) -> None:
    with pytest.raises(ShopError, match="cannot have"):
        Shop(**{"seed": 1, "customers": 10, "start": date(2025, 1, 1), "end": date(2025, 2, 1), **values})


def test_a_shop_survives_being_written() -> None:
    shop = Shop(3, 5, date(2025, 1, 1), date(2025, 2, 1), drift=Drift(date(2025, 1, 20), price=1.5))
    written = {**shop.to_dict(), "start": "2025-01-01", "end": "2025-02-01"}
    written["drift"] = {**written["drift"], "start": "2025-01-20"}
    assert Shop.from_dict(written) == shop
