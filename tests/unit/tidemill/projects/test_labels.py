"""The label of a case, for each kind of question; what is expected is counted by hand."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from feature_store.definitions import (
    Absence,
    Classes,
    Entity,
    FutureAggregate,
    Number,
    Outcome,
    Own,
    Product,
    Question,
    Source,
    Threshold,
    YesNo,
    column,
    count,
    days,
    time_since_last,
)
from tidemill.projects.testing.given import rows
from tidemill.projects.testing.labels import LabelError, label

CUSTOMER = Entity("customer", "customer_id")
SALES = Source("silver/transactions", computed=(Product("amount", "quantity", "unit_price"),))
PAYMENTS, VERDICTS = Source("silver/card_transactions"), Source("silver/card_verdicts")
FRAUD = Outcome(CUSTOMER, PAYMENTS, VERDICTS, key="transaction_id", label="is_fraud")
AT = datetime(2026, 3, 20, tzinfo=UTC)
A_BIT = timedelta(microseconds=1)
amount, kind = column("amount"), column("kind")


def sale(time: datetime, units: int, *, who: str | None = "c1", what: str = "purchase") -> dict[str, Any]:
    data = {"order_id": "o", "line": 1, "product_id": "p", "quantity": units, "unit_price": 2.5, "kind": what}
    data |= {"currency": "GBP", "country": "UK"}
    return {"time": time, "data": data if who is None else data | {"customer_id": who}}


SOLD = [
    sale(AT - days(10), 1),
    sale(AT, 4),
    sale(AT + days(3), 2),
    sale(AT + days(4), 9, what="return"),
    sale(AT + days(7) - A_BIT, 3),
    sale(AT + days(7), 100),
    sale(AT + days(1), 50, who=None),
    sale(AT - days(10) - A_BIT, 1, who="c2"),
    sale(AT + days(1), 1, who="c2"),
    sale(AT - A_BIT, 1, who="c3"),
]


def absence() -> Absence:
    return Absence(CUSTOMER, SALES, days(10), days(7), (kind == "purchase",))


def future(aggregation: Any, answer: Any) -> FutureAggregate:
    return FutureAggregate(CUSTOMER, SALES, aggregation, days(10), days(7), answer, (kind == "purchase",))


@pytest.mark.parametrize(
    ("question", "who", "expected"),
    [
        pytest.param(absence(), "c1", 0, id="came again"),
        pytest.param(absence(), "c2", None, id="was not active"),
        pytest.param(absence(), "c3", 1, id="did not come again"),
        pytest.param(absence(), "nobody", None, id="nobody"),
        pytest.param(future(count(), Number()), "c1", 3, id="count"),
        pytest.param(future(amount.sum(), Number()), "c1", 22.5, id="sum of a product"),
        pytest.param(future(amount.sum(), Number()), "c3", 0, id="sum over none"),
        pytest.param(future(amount.mean(), Number()), "c3", None, id="mean over none"),
        pytest.param(future(column("quantity").last(), Number()), "c1", 3, id="last"),
        pytest.param(future(time_since_last(), Number()), "c1", 0.000001, id="time since"),
        pytest.param(future(amount.sum(), Threshold(at_least=22.5)), "c1", 1, id="at a threshold"),
        pytest.param(future(amount.sum(), Threshold(at_least=22.6)), "c1", 0, id="below a threshold"),
        pytest.param(future(count(), Classes(("none", "few", "many"), (1, 3))), "c1", "many", id="class at an edge"),
        pytest.param(future(count(), Classes(("none", "few", "many"), (1, 3))), "c3", "none", id="lowest class"),
    ],
)
def test_what_comes_after_a_cutoff(question: Question, who: str, expected: Any) -> None:
    found = label(question, rows({"shop.transaction.v1": SOLD}), {"customer_id": who}, AT)
    assert found == expected
    assert isinstance(found, str) == isinstance(expected, str)


def test_what_is_no_cutoff_is_refused() -> None:
    with pytest.raises(LabelError, match="is no cutoff: labels are of the starts of days"):
        label(absence(), [], {"customer_id": "c1"}, AT + A_BIT)
    in_another_zone = (AT + days(1)).astimezone(tz=datetime.fromisoformat("2026-01-01T00:00:00+05:00").tzinfo)
    assert label(absence(), rows({"shop.transaction.v1": SOLD}), {"customer_id": "c1"}, in_another_zone) == 0


PARTIES = {"customer_id": "c1", "terminal_id": "t1"}


def payment(number: int, time: datetime, **parties: str) -> dict[str, Any]:
    data = {"transaction_id": f"p{number}", "amount": 9.5, "currency": "EUR", **PARTIES, **parties}
    return {"time": time, "data": data}


def verdict(number: int, time: datetime, says: bool) -> dict[str, Any]:
    return {"time": time, "data": {"transaction_id": f"p{number}", "is_fraud": says, **PARTIES}}


GIVEN = {
    "payment.card_transaction.v1": [
        payment(1, AT),
        payment(2, AT + days(1)),
        payment(3, AT + days(2)),
        payment(4, AT + days(2), customer_id="c2"),
        payment(4, AT + days(3), customer_id="c2"),
        payment(5, AT + days(5)),
        payment(6, AT + days(5)),
    ],
    "payment.card_verdict.v1": [
        verdict(1, AT + days(9), False),
        verdict(1, AT + days(8), True),
        verdict(3, AT + days(2), True),
        verdict(4, AT + days(9), True),
    ],
}


@pytest.mark.parametrize(
    ("who", "at", "expected"),
    [
        pytest.param("c1", AT, 1, id="the first verdict counts"),
        pytest.param("c1", AT + days(1), None, id="no verdict"),
        pytest.param("c1", AT + days(2), None, id="a verdict that is not later"),
        pytest.param("c2", AT + days(2), 1, id="the first event of a key"),
        pytest.param("c2", AT + days(3), None, id="its second event"),
    ],
)
def test_what_a_later_event_says(who: str, at: datetime, expected: Any) -> None:
    assert label(FRAUD, rows(GIVEN), {"customer_id": who, "terminal_id": "t1"}, at) == expected


def test_an_event_that_is_not_there_or_twice_is_named() -> None:
    with pytest.raises(LabelError, match="has no event of 'c1' at 2026-03-21T01:00:00"):
        label(FRAUD, rows(GIVEN), {"customer_id": "c1"}, AT + days(1) + timedelta(hours=1))
    with pytest.raises(LabelError, match="'c1' has 2 events at"):
        label(FRAUD, rows(GIVEN), {"customer_id": "c1"}, AT + days(5))
    with pytest.raises(LabelError, match="about a customer_id"):
        label(FRAUD, rows(GIVEN), {"terminal_id": "t1"}, AT)


def test_filters_decide_which_events_are_asked_about() -> None:
    large = replace(FRAUD, filters=(column("amount") > 10,))
    assert label(large, rows(GIVEN), {"customer_id": "c1"}, AT) is None


def test_a_label_that_only_spark_makes_is_said_to_be_one() -> None:
    def labelled(payments: object) -> object:
        return payments

    own = Own(CUSTOMER, (PAYMENTS,), labelled, YesNo())
    with pytest.raises(LabelError, match="made by its function labelled from Spark's tables"):
        label(own, rows(GIVEN), {"customer_id": "c1"}, AT)
