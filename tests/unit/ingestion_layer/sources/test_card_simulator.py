"""Simulated cards: the published parameters and rates, the scenarios' rules, valid events in order."""

from collections import Counter
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from ingestion_layer.sources.card_simulator.cards import (
    PUBLISHED_CUSTOMERS,
    PUBLISHED_TERMINALS,
    Cards,
    CardsError,
    Drift,
)
from ingestion_layer.sources.card_simulator.events import TRANSACTIONS, VERDICTS
from ingestion_layer.sources.card_simulator.history import CardSource
from ingestion_layer.sources.card_simulator.ledger import Ledger
from ingestion_layer.sources.card_simulator.payments import Payments, genuine_payments
from ingestion_layer.sources.card_simulator.population import draw_customers, draw_reach, draw_terminals
from ingestion_layer.sources.card_simulator.scenarios import CUSTOMER, GENUINE, LARGE_AMOUNT, TERMINAL, Scenarios
from ingestion_layer.sources.progress import Progress
from tests.cases.naive_alerts import kilometres
from tidemill.config import load_settings
from tidemill.contracts import checker

PUBLISHED = Cards(customers=PUBLISHED_CUSTOMERS, terminals=PUBLISHED_TERMINALS)
PUBLISHED_PAYMENTS = 1_754_155
PUBLISHED_FRAUDS = {LARGE_AMOUNT: 973, TERMINAL: 9_077, CUSTOMER: 4_631}
"""Counted in the data set that the handbook publishes; the first number is in its text, as is their sum, 14,681."""

SMALL = Cards(customers=150, terminals=300, start=date(2024, 1, 1), end=date(2024, 2, 5))
Events = dict[str, list[dict[str, Any]]]


def in_all(cards: Cards) -> Payments:
    ledger = Ledger(cards)
    return Payments.concat([ledger.payments(day) for day in range(cards.first_day, cards.last_day)])


def source_of(cards: Cards, home: Path) -> CardSource:
    return CardSource(load_settings({"TIDEMILL_HOME": str(home)}), cards)


def events_of(source: CardSource, progress: Progress | None = None) -> Events:
    made: Events = {TRANSACTIONS: [], VERDICTS: []}
    for batch in source.batches(progress or Progress()):
        for topic, outgoing in batch.outgoing.items():
            made[topic] += [event for event in outgoing if isinstance(event, dict)]
    return made


def moments(events: list[dict[str, Any]]) -> list[datetime]:
    return [datetime.fromisoformat(event["time"]) for event in events]


@pytest.fixture(scope="module")
def published() -> Payments:
    return in_all(PUBLISHED)


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> Events:
    return events_of(source_of(SMALL, tmp_path_factory.mktemp("home")))


def test_payments_are_as_many_as_published(published: Payments) -> None:
    assert len(published) == pytest.approx(PUBLISHED_PAYMENTS, rel=0.05)


@pytest.mark.parametrize(("scenario", "count"), PUBLISHED_FRAUDS.items(), ids=["large amount", "terminal", "customer"])
def test_frauds_of_each_scenario_have_the_published_rate(published: Payments, scenario: int, count: int) -> None:
    rate = np.mean(published.scenario == scenario)
    assert rate == pytest.approx(count / PUBLISHED_PAYMENTS, rel=0.15)


def test_amounts_and_times_are_those_of_the_description(published: Payments) -> None:
    genuine = published.take(published.scenario == GENUINE)
    assert genuine.cents.max() <= 220_00
    assert genuine.cents.min() >= 0
    second = published.time // 1_000_000 % 86_400
    assert second.mean() == pytest.approx(43_200, rel=0.01)
    # A normal of deviation 20,000 that is cut 2.16 of them from its middle keeps 0.91 of it.
    assert second.std() == pytest.approx(18_190, rel=0.01)


def test_a_customer_pays_as_their_habits_say(published: Payments) -> None:
    people = draw_customers(PUBLISHED)
    genuine = published.take(np.isin(published.scenario, (GENUINE, TERMINAL)))
    of = np.bincount(genuine.customer, minlength=len(people))
    busy = of > 300
    means = np.bincount(genuine.customer, genuine.cents, minlength=len(people))[busy] / of[busy] / 100
    assert np.corrcoef(means, people.mean_amount[busy])[0, 1] > 0.99
    for habit, low, high in ((people.payments_a_day, 0, 4), (people.mean_amount, 5, 100)):
        assert (habit.min(), habit.max()) == pytest.approx((low, high), abs=0.1)


def test_customers_pay_near_home_only() -> None:
    people, reach = draw_customers(SMALL), draw_reach(SMALL, draw_customers(SMALL))
    random = SMALL.random("terminals")
    x, y = random.uniform(0, 100, SMALL.terminals), random.uniform(0, 100, SMALL.terminals)
    for customer in range(SMALL.customers):
        near = {t for t in range(SMALL.terminals) if np.hypot(people.x[customer] - x[t], people.y[customer] - y[t]) < 5}
        assert set(reach.terminal[reach.first[customer] : reach.first[customer + 1]]) == near
    paid = in_all(SMALL)
    assert all(
        terminal in reach.terminal[reach.first[customer] : reach.first[customer + 1]]
        for customer, terminal in zip(paid.customer.tolist(), paid.terminal.tolist(), strict=True)
    )


def test_a_payment_is_fraud_by_the_rules_and_by_nothing_else() -> None:
    cards = Cards(customers=1_000, terminals=2_000, start=date(2024, 1, 1), end=date(2024, 2, 5))
    ledger = Ledger(cards)
    for day in range(cards.first_day, cards.last_day):
        before = genuine_payments(cards, ledger.customers, ledger.reach, day)
        after = ledger.payments(day)
        terminals, customers = set(ledger.scenarios.terminals(day)), set(ledger.scenarios.customers(day))
        for was, cents, terminal, customer, scenario in zip(
            before.cents, after.cents, after.terminal, after.customer, after.scenario, strict=True
        ):
            if scenario == CUSTOMER:
                assert customer in customers
                assert cents in (was * 5, was * 25)
                continue
            expected = TERMINAL if terminal in terminals else LARGE_AMOUNT if cents > 220_00 else GENUINE
            assert (scenario, cents) == (expected, was)


@pytest.mark.parametrize(("kind", "days", "a_day"), [("terminals", 28, 2), ("customers", 14, 3)])
def test_who_is_compromised_stays_so_for_the_published_time(kind: str, days: int, a_day: int) -> None:
    scenarios = Scenarios(PUBLISHED)
    on = [Counter(getattr(scenarios, kind)(PUBLISHED.first_day + day).tolist()) for day in range(70)]
    assert [count.total() for count in on[: days + 2]] == [a_day * min(day + 1, days) for day in range(days + 2)]
    new = on[30] - on[29]
    assert new.total() <= a_day
    for one in new:
        assert [one in on[day] for day in range(30, 30 + days)] == [True] * days


def test_a_share_of_few_is_right_on_average() -> None:
    scenarios = Scenarios(Cards(customers=50, terminals=100))
    drawn = [len(scenarios.customers(day)) for day in range(17_700, 22_700)]
    assert np.mean(drawn) == pytest.approx(14 * 50 * 3 / 5000, rel=0.25)


def test_every_event_is_valid_and_has_an_id_of_its_own(sent: Events) -> None:
    for topic, events in sent.items():
        assert [checker(topic).check(event) for event in events] == [None] * len(events)
    ids = [event["id"] for events in sent.values() for event in events]
    assert len(set(ids)) == len(ids) > 5_000


def test_each_topic_is_in_the_order_of_event_time(sent: Events) -> None:
    for events in sent.values():
        assert moments(events) == sorted(moments(events))


def test_a_verdict_comes_seven_days_after_its_payment_and_only_before_the_end(sent: Events) -> None:
    paid = {event["data"]["transaction_id"]: event for event in sent[TRANSACTIONS]}
    for event, time in zip(sent[VERDICTS], moments(sent[VERDICTS]), strict=True):
        payment = paid.pop(event["data"]["transaction_id"])
        assert time - datetime.fromisoformat(payment["time"]) == timedelta(days=7)
        assert all(payment["data"][name] == event["data"][name] for name in ("customer_id", "terminal_id"))
    assert min(moments(list(paid.values()))).date() == SMALL.end - timedelta(days=7)


def test_the_truth_says_what_the_verdicts_say(tmp_path: Path) -> None:
    source = source_of(SMALL, tmp_path)
    made = events_of(source)
    truth = pq.read_table(source.truth.folder / "frauds").to_pylist()
    known = {event["data"]["transaction_id"] for event in made[VERDICTS]}
    frauds = {event["data"]["transaction_id"] for event in made[VERDICTS] if event["data"]["is_fraud"]}
    assert {row["transaction_id"] for row in truth} & known == frauds
    assert sum(source.counts[f"fraud/{name}"] for name in ("large_amount", "terminal", "customer")) == len(truth) > 0
    assert {topic: source.counts[topic] for topic in made} == {topic: len(events) for topic, events in made.items()}


def test_a_source_that_goes_on_sends_what_was_missing(sent: Events, tmp_path: Path) -> None:
    rest = events_of(source_of(SMALL, tmp_path), Progress(position=25))
    for topic, events in rest.items():
        assert events == sent[topic][-len(events) :]


def test_another_seed_is_another_set_of_cards() -> None:
    one, other = in_all(SMALL), in_all(Cards(**{**SMALL.to_dict(), "seed": 2}))
    assert not np.array_equal(one.cents[:100], other.cents[:100])
    assert Cards(seed=2).source != Cards(seed=1).source


def test_cards_that_differ_in_nothing_new_are_those_of_before() -> None:
    """The fingerprint of the defaults as it was before there were verdict days and drifts: ids of events hang on it."""
    assert Cards().fingerprint == "f0b97f9dbd81"
    assert Cards(verdict_days=2).fingerprint != Cards().fingerprint != Cards(drift=Drift(date(2018, 5, 1))).fingerprint


def test_cards_that_say_where_are_others_with_the_same_payments(sent: Events, tmp_path: Path) -> None:
    located = replace(SMALL, located=True)
    assert located.fingerprint != SMALL.fingerprint
    said = events_of(source_of(located, tmp_path))[TRANSACTIONS]
    assert [checker(TRANSACTIONS).check(event) for event in said] == [None] * len(said)
    places = [{name: event["data"].pop(name) for name in ("terminal_latitude", "terminal_longitude")} for event in said]
    assert [event["data"] for event in said] == [event["data"] for event in sent[TRANSACTIONS]]
    of_terminal = {
        event["data"]["terminal_id"]: tuple(place.values()) for event, place in zip(said, places, strict=True)
    }
    assert len({*of_terminal.values()}) == len(of_terminal)  # a terminal stays where it is


def test_terminals_are_as_far_apart_in_kilometres_as_on_the_square() -> None:
    terminals = draw_terminals(SMALL)
    for here, there in ((0, 1), (2, 3), (4, 5)):
        on_square = np.hypot(terminals.x[here] - terminals.x[there], terminals.y[here] - terminals.y[there])
        payments = [
            {"data": {"terminal_latitude": terminals.latitude[at], "terminal_longitude": terminals.longitude[at]}}
            for at in (here, there)
        ]
        assert kilometres(*payments) == pytest.approx(on_square, rel=0.01)


def test_a_drift_changes_the_amounts_from_its_day_on_and_nothing_else() -> None:
    drifted = Ledger(replace(SMALL, drift=Drift(date(2024, 1, 20), amount=1.5)))
    ledger, begin = Ledger(SMALL), (date(2024, 1, 20) - date(2024, 1, 1)).days
    for done in (0, begin - 1, begin, begin + 10):
        before, after = ledger.payments(SMALL.first_day + done), drifted.payments(SMALL.first_day + done)
        factor = 1.5 if done >= begin else 1
        assert np.abs(after.cents - before.cents * factor).max() <= 0.5
        for name in ("time", "customer", "terminal", "scenario"):
            assert np.array_equal(getattr(after, name), getattr(before, name))


def test_verdicts_come_after_as_many_days_as_asked(tmp_path: Path) -> None:
    made = events_of(source_of(replace(SMALL, verdict_days=2), tmp_path))
    paid = {event["data"]["transaction_id"]: event["time"] for event in made[TRANSACTIONS]}
    for event in made[VERDICTS]:
        delay = datetime.fromisoformat(event["time"]) - datetime.fromisoformat(paid[event["data"]["transaction_id"]])
        assert delay == timedelta(days=2)
    assert min(moments(made[VERDICTS])).date() == SMALL.start + timedelta(days=2)


@pytest.mark.parametrize(
    "values",
    [
        {"customers": 0},
        {"radius": 0.0},
        {"end": date(2018, 4, 1)},
        {"start": date(1969, 1, 1)},
        {"seed": -1},
        {"verdict_days": 0},
    ],
)
def test_values_that_make_no_cards_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(CardsError):
        Cards(**values)
