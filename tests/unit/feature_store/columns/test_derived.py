"""Expressions over features, and filters over columns, by hand."""

import math
from datetime import UTC, datetime

import numpy as np
import pytest

from feature_store.columns.derived import evaluate, service_features
from feature_store.columns.events import Column, EventColumnsError, Events
from feature_store.columns.filters import passing
from feature_store.definitions import (
    DAY_OF_WEEK,
    HOUR_OF_DAY,
    Derived,
    Expression,
    FeatureService,
    Filter,
    Input,
    column,
    zscore,
)

a, b = Input("a"), Input("b")
NAN = math.nan
VALUES = {"a": np.array([6.0, 1.0, NAN, 0.0]), "b": np.array([3.0, 0.0, 2.0, 0.0])}
TIMES = np.zeros(4, dtype=np.int64)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        pytest.param(a / b, [2.0, NAN, NAN, NAN], id="ratio, null over zero"),
        pytest.param(a - b, [3.0, 1.0, NAN, 0.0], id="difference"),
        pytest.param(1 - a * 2 + b, [-8.0, -1.0, NAN, 1.0], id="precedence"),
        pytest.param(zscore(a, b, b), [1.0, NAN, NAN, NAN], id="z-score"),
        pytest.param(a > b, [1.0, 1.0, NAN, 0.0], id="comparison, null where an operand is"),
        pytest.param(a.or_else(b), [6.0, 1.0, 2.0, 0.0], id="or else"),
        pytest.param((a / b).or_else(-1), [2.0, -1.0, -1.0, -1.0], id="or else a constant"),
    ],
)
def test_an_expression_has_one_value_a_row(expression: Expression, expected: list[float]) -> None:
    np.testing.assert_array_equal(evaluate(expression, VALUES, TIMES), expected)


@pytest.mark.parametrize("time", ["2018-07-28 23:30", "1969-12-31 06:15", "2024-02-29 00:00"])
def test_the_clock_and_the_calendar_are_those_of_utc(time: str) -> None:
    moment = datetime.fromisoformat(time).replace(tzinfo=UTC)
    times = np.array([int(moment.timestamp()) * 1_000_000])
    assert evaluate(HOUR_OF_DAY, {}, times)[0] == moment.hour + moment.minute / 60
    assert evaluate(DAY_OF_WEEK, {}, times)[0] == moment.weekday()


def test_a_service_has_its_features_in_order() -> None:
    service = FeatureService("s", (Derived("night", HOUR_OF_DAY <= 6), Derived("ratio", a / b)))
    found = service_features(service, VALUES, TIMES)
    assert list(found) == ["night", "ratio"]
    assert list(found["night"]) == [1.0] * 4


EVENTS = Events(
    entity=np.zeros(4, dtype=np.int64),
    time=np.zeros(4, dtype=np.int64),
    tie=np.arange(4, dtype=np.uint64),
    columns={
        "amount": Column.of([1.5, None, -2.0, 0.0]),
        "kind": Column.of(["card", "cash", None, "card"]),
        "online": Column.of([True, False, None, True]),
    },
)


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (column("amount") > 0, [1, 0, 0, 0]),
        (column("amount") >= 0, [1, 0, 0, 1]),
        (column("amount") < 0, [0, 0, 1, 0]),
        (column("amount") <= 0, [0, 0, 1, 1]),
        (column("amount") != 0, [1, 0, 1, 0]),
        (column("amount").is_null(), [0, 1, 0, 0]),
        (column("amount").is_not_null(), [1, 0, 1, 1]),
        (column("kind") == "card", [1, 0, 0, 1]),
        (column("kind") != "card", [0, 1, 0, 0]),
        (column("kind") > "card", [0, 1, 0, 0]),
        (column("kind").is_in("cash", "other"), [0, 1, 0, 0]),
        (column("online") == True, [1, 0, 0, 1]),  # noqa: E712
    ],
    ids=lambda one: f"{one.column} {one.comparison.value}" if isinstance(one, Filter) else "",
)
def test_a_filter_passes_what_compares_so_and_no_null(one: Filter, expected: list[int]) -> None:
    assert list(passing([one], EVENTS)) == [bool(value) for value in expected]


def test_a_filter_on_another_type_or_a_missing_column_says_so() -> None:
    with pytest.raises(EventColumnsError, match="filter on kind: object is not compared with 5"):
        passing([column("kind") == 5], EVENTS)
    with pytest.raises(EventColumnsError, match="no column 'colour'; there are: amount, kind, online"):
        passing([column("colour") == "red"], EVENTS)
