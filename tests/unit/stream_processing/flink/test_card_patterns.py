"""What the patterns of cards say of payments that come out of order, as after a restart.

Flink needs a JVM: here DuckDB answers what DEFINE asks of payments one after another, and the integration tests Flink.
"""

import re
from datetime import timedelta
from random import Random
from typing import Any

import duckdb
import pytest

from stream_processing.flink.job import job
from tests.cases.arriving_payments import START, payment
from tests.cases.naive_alerts import LENGTHS, Event, identity, is_alert, moment

PLACES = [{"terminal_latitude": 50.0 + north, "terminal_longitude": 5.0} for north in (0.0, 0.5, 4.0)]


def paid(record: str, minutes: float, amount: float = 20.0, place: int = 0) -> Event:
    return payment(record, START + timedelta(minutes=minutes), "c1", amount, **PLACES[place])


YESTERDAY = -24 * 60
LATE = [
    ("velocity", [paid("p1", -360), paid("p2", -240), paid("p3", -120), paid("p4", 0), paid("late", YESTERDAY)]),
    ("small_then_large", [paid("p1", 0, 3), paid("p2", 240, 3), paid("late", YESTERDAY, 500)]),
    ("small_then_large", [paid("p1", 0, 3), paid("late", -30, 3), paid("p2", 10, 500)]),
    ("far_terminals", [paid("p1", 0), paid("late", -1, place=2)]),
]
"""Payments of a card of which one is told late, when time has not begun again."""
REPEATED = [
    ("velocity", [paid("p1", 0), paid("p2", 1), paid("p2", 1), paid("p3", 2), paid("p4", 3)]),
    ("velocity", [paid("p1", 0), paid("p2", 1), paid("p3", 2), paid("p4", 3), paid("p1", 0)]),
    ("small_then_large", [paid("p1", 0, 3), paid("p1", 0, 3), paid("p2", 1, 500)]),
]
"""Payments of a card of which one comes twice, when it is not remembered."""
IN_ORDER = [
    ("velocity", [paid(f"p{number}", number) for number in range(5)]),
    ("velocity", sorted((paid(f"p{number}", 0) for number in range(5)), key=identity)),
    ("small_then_large", [paid("p1", 0, 3), paid("p2", 1, 3), paid("p3", 2, 500)]),
    ("far_terminals", [paid("p1", 0), paid("p2", 1, place=2)]),
]


def defined(pattern: str) -> str:
    """Of the job's query, what DEFINE says of ``pattern``: all of its conditions, as one of DuckDB's SQL."""
    asked = next(part for part in job("card_patterns").query.split("UNION ALL") if f"'{pattern}'" in part)
    conditions = re.split(r"\b[A-E] AS ", re.sub("--.*", "", asked.split("DEFINE")[1].rpartition(")")[0]))
    together = " AND ".join(f"({condition.strip().rstrip(',')})" for condition in conditions if condition.strip())
    return together.replace("TIMESTAMPDIFF(SECOND,", "date_sub('second',")


def matches(pattern: str, payments: list[Event]) -> bool:
    names = "ABCDE"[: len(payments)]
    rows = dict(zip(names, map(_row, payments), strict=True))
    columns = ", ".join(f"${name} AS {name}" for name in names)
    asked = f"SELECT {defined(pattern)} FROM (SELECT {columns})"  # noqa: S608 - of this repository's own files
    ((answer,),) = duckdb.execute(asked, rows).fetchall()
    return bool(answer)


def _row(event: Event) -> dict[str, Any]:
    data = event["data"]
    place = duckdb.execute("SELECT radians($1), radians($2)", [data["terminal_latitude"], data["terminal_longitude"]])
    ((north, east),) = place.fetchall()
    known = {"event_time": moment(event).replace(tzinfo=None), "event_identity": identity(event)}
    return known | {"amount": data["amount"], "north": north, "east": east}


@pytest.mark.parametrize(("pattern", "payments"), IN_ORDER)
def test_payments_in_order_are_an_alert(pattern: str, payments: list[Event]) -> None:
    assert (is_alert(pattern, payments), matches(pattern, payments)) == (True, True)


@pytest.mark.parametrize(("pattern", "payments"), [*LATE, *REPEATED])
def test_payments_out_of_order_and_repeated_ones_are_none(pattern: str, payments: list[Event]) -> None:
    assert (is_alert(pattern, payments), matches(pattern, payments)) == (False, False)


@pytest.mark.parametrize("pattern", LENGTHS)
def test_what_a_pattern_asks_is_what_the_judge_asks(pattern: str) -> None:
    random, verdicts = Random(5), []
    for _ in range(300):
        minutes = random.choices((0, 1, 2, 9.5, 59, 300), (6, 6, 6, 3, 3, 1), k=6)
        pool = [
            paid(f"p{number}", at, random.choice((3.0, 500.0)), random.randrange(3))
            for number, at in enumerate(minutes)
        ]
        draw = random.choice((random.sample, random.choices))
        payments = sorted(draw(pool, k=LENGTHS[pattern]), key=lambda event: (moment(event), identity(event)))
        if random.random() < 0.3:
            random.shuffle(payments)
        verdicts.append(is_alert(pattern, payments))
        assert matches(pattern, payments) == verdicts[-1], payments
    assert 10 < verdicts.count(True) < 290
