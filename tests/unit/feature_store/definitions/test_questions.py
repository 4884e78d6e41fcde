"""Questions are checked when they are made, and say what they read, when they are asked and what the task is."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from feature_store.definitions import (
    Absence,
    Classes,
    DefinitionError,
    Entity,
    FutureAggregate,
    Moments,
    Number,
    Outcome,
    Own,
    Product,
    Source,
    Task,
    Threshold,
    YesNo,
    column,
    days,
    hours,
)
from feature_store.definitions.questions import task_of

CUSTOMER = Entity("customer", "customer_id")
LINES = Source("silver/lines", computed=(Product("amount", "units", "price"),))
PAYMENTS, VERDICTS = Source("silver/payments", entity_column="payer"), Source("silver/verdicts")
amount, kind = column("amount"), column("kind")
BOUGHT = (kind == "purchase",)


def absence(**changes: Any) -> Absence:
    given = {"entity": CUSTOMER, "source": LINES, "active": days(90), "horizon": days(60), "filters": BOUGHT}
    return Absence(**{**given, **changes})


def future(**changes: Any) -> FutureAggregate:
    given = {
        "entity": CUSTOMER,
        "source": LINES,
        "aggregation": amount.sum(),
        "active": days(30),
        "horizon": days(60),
        "answer": Number(),
        "filters": BOUGHT,
    }
    return FutureAggregate(**{**given, **changes})


def outcome(**changes: Any) -> Outcome:
    given = {"entity": CUSTOMER, "events": PAYMENTS, "of": VERDICTS, "key": "payment_id", "label": "is_fraud"}
    return Outcome(**{**given, **changes})


def own(**changes: Any) -> Own:
    return Own(**{"entity": CUSTOMER, "sources": (LINES,), "rows": lambda rows: rows, "answer": YesNo(), **changes})


@pytest.mark.parametrize(
    ("question", "moments", "task"),
    [
        (absence(), Moments.CUTOFFS, Task.BINARY),
        (future(), Moments.CUTOFFS, Task.REGRESSION),
        (future(answer=Threshold(at_least=100)), Moments.CUTOFFS, Task.BINARY),
        (future(answer=Classes(("a", "b", "c"), (1, 2.5))), Moments.CUTOFFS, Task.MULTICLASS),
        (outcome(), Moments.EVENTS, Task.BINARY),
        (outcome(answer=Classes(("chargeback", "genuine", "unknown"))), Moments.EVENTS, Task.MULTICLASS),
        (own(answer=Number()), Moments.EVENTS, Task.REGRESSION),
    ],
)
def test_a_question_says_when_it_is_asked_and_what_the_task_is(question: Any, moments: Moments, task: Task) -> None:
    assert (question.moments, task_of(question)) == (moments, task)


def test_a_question_says_which_columns_it_reads_of_which_table() -> None:
    assert absence().reads == ((LINES, ("customer_id", "kind")),)
    assert future().reads == ((LINES, ("customer_id", "amount", "kind")),)
    assert outcome(filters=(amount > 5,)).reads == (
        (PAYMENTS, ("payer", "payment_id", "amount")),
        (VERDICTS, ("payment_id", "is_fraud")),
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: absence(horizon=90), r"Absence\.horizon: 90 is no duration: write days\(90\)"),
        (lambda: absence(active=hours(36)), r"Absence\.active: 1 day, 12:00:00 is not whole days, and cutoffs are"),
        (lambda: absence(horizon=timedelta(0)), r"Absence\.horizon: 0:00:00 is not whole days"),
        (lambda: absence(filters=BOUGHT[0]), r"Absence\.filters: .* is no tuple of filters"),
        (lambda: absence(entity="customer_id"), r'Absence\.entity: .* write Entity\("user", "user_id"\)'),
        (lambda: absence(source="silver/lines"), r"is no Source: write Source\("),
        (lambda: future(aggregation=amount), r'is no aggregation: write column\("amount"\)\.sum\(\)'),
        (lambda: future(aggregation=amount.sum(windows=(days(7),))), "its only one is the horizon: leave out"),
        (lambda: future(aggregation=amount.last_k(3)), "it has several values, and a label is one"),
        (lambda: future(answer=YesNo()), r"FutureAggregate\.answer: YesNo\(\) is none of Number, Threshold, Classes"),
        (lambda: future(answer=Classes(("a", "b", "c"))), "Classes of a number need edges"),
        (lambda: future(answer=100), r"FutureAggregate\.answer: 100 is none of"),
        (lambda: outcome(key="payment id"), r"Outcome\.key: 'payment id' is no column name"),
        (lambda: outcome(of="silver/verdicts"), r"Outcome\.of: .* is no Source of the events that have the answer"),
        (lambda: own(rows=3), r"Own\.rows: 3 is no function of 1 DataFrames"),
        (lambda: own(sources=LINES), r"Own\.sources: .* is no tuple of at least one Source"),
        (lambda: Threshold(at_least="many"), r"Threshold\.at_least: 'many' is no finite number"),
        (lambda: Threshold(at_least=float("nan")), r"Threshold\.at_least: nan is no finite number"),
        (lambda: Classes(("a", "b")), r"not at least three different names; write YesNo\(\) or Threshold"),
        (lambda: Classes(("a", "b", "b"), (1, 2)), "not at least three different names"),
        (lambda: Classes(("a", "b", "c"), (2, 1)), r"Classes\.edges: \(2, 1\) do not ascend"),
        (lambda: Classes(("a", "b", "c"), (1,)), r"1 edges make 2 classes, and there are 3 names: a, b, c"),
    ],
)
def test_a_question_that_means_nothing_says_what_to_write_instead(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        make()
