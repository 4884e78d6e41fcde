"""The judge in SQL says what the loop over events says."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feature_store.columns.arrow import column_of
from feature_store.columns.events import Events
from feature_store.definitions import (
    DAY_OF_WEEK,
    HOUR_OF_DAY,
    LIFETIME,
    Derived,
    FeatureGroup,
    Filter,
    Input,
    Product,
    column,
    count,
    days,
)
from feature_store.definitions.filters import ORDERED, Comparison
from feature_store.judge import expressions
from feature_store.judge.hashing import xxh64
from feature_store.judge.values import group_features, workspace
from feature_store.kernel import compute
from feature_store.tiles import Layout, apply
from feature_store.tiles.merge import Plan, merge
from tests.cases.naive_windows import Happened, passes
from tests.cases.window_histories import (
    DAY,
    GROUP,
    HOUR,
    RICH,
    UNFILTERED,
    as_columns,
    as_queries,
    assert_agrees,
    histories,
    mixed_magnitudes,
    query_times,
)

EVENTS = pa.schema(
    {
        "entity": pa.string(),
        "time": pa.int64(),
        "tie": pa.uint64(),
        "added": pa.int64(),
        "removed": pa.int64(),
        "c:amount": pa.float64(),
        "c:kind": pa.string(),
        "c:item": pa.int64(),
    }
)
ASKED = pa.schema({"event_id": pa.string(), "asked_at": pa.int64(), "entity": pa.string(), "version": pa.int64()})


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with workspace() as opened:
        yield opened


def judged(
    connection: duckdb.DuckDBPyConnection,
    group: FeatureGroup,
    history: Sequence[Happened],
    asked: Sequence[tuple[int, int]],
    types: Mapping[str, pa.DataType] | None = None,
) -> dict[str, np.ndarray[Any, np.dtype[np.float64]]]:
    """The features by name, as engines return them; beside each event lies one that is not part of the version."""
    rows = [
        {"entity": str(event.entity), "time": event.time, "tie": event.tie}
        | {f"c:{name}": value for name, value in event.values.items()}
        | versions
        for event in history
        for versions in ({"added": 3, "removed": 9}, {"added": 8, "removed": 9}, {"added": 0, "removed": 7})
    ]
    questions = [
        {"event_id": f"{number:06}", "asked_at": at, "entity": str(entity), "version": 7}
        for number, (entity, at) in enumerate(asked)
    ]
    connection.execute("DROP TABLE IF EXISTS g; DROP TABLE IF EXISTS g_events; DROP TABLE IF EXISTS g_asked")
    schema = pa.schema({field.name: (types or {}).get(field.name, field.type) for field in EVENTS})
    connection.from_arrow(pa.Table.from_pylist(rows, schema)).create("g_events")
    connection.from_arrow(pa.Table.from_pylist(questions, ASKED)).create("g_asked")
    group_features(connection, group, group.features, "g")
    found = connection.sql("SELECT * FROM g ORDER BY event_id").to_arrow_table()
    return {
        feature.name: found[feature.name].cast(pa.float64()).to_numpy().astype(np.float64) for feature in group.features
    }


@pytest.mark.parametrize("group", [GROUP, RICH, UNFILTERED], ids=lambda group: group.name)
@settings(max_examples=50)
@given(data=st.data())
def test_the_judge_agrees_with_the_loop(connection: duckdb.DuckDBPyConnection, group: FeatureGroup, data: Any) -> None:
    history = data.draw(histories())
    asked = data.draw(query_times(history))
    assert_agrees(judged(connection, group, history, asked), history, asked, group, False)


@pytest.mark.parametrize("largest", [3, 9, 15])
def test_amounts_of_all_sizes_are_judged(connection: duckdb.DuckDBPyConnection, largest: int) -> None:
    history = mixed_magnitudes(largest)
    asked = [(event.entity, event.time + 1) for event in history[::2]]
    assert_agrees(judged(connection, GROUP, history, asked), history, asked, GROUP, False)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (Input("a") / Input("b"), 2.5),
        (Input("a") / (Input("b") - 2), None),
        (Input("a") + Input("missing"), None),
        (Input("missing").or_else(Input("a")), 5.0),
        ((Input("a") > 4) * 3, 3.0),
        (Input("a") <= 4, 0.0),
        (Input("missing") <= 4, None),
        (Input("large") * Input("large"), None),
        (HOUR_OF_DAY + 0, 13.5),
        (DAY_OF_WEEK + 0, 3.0),  # 2024-02-29 was a Thursday
    ],
    ids=repr,
)
def test_expressions_are_judged(connection: duckdb.DuckDBPyConnection, expression: Any, expected: float | None) -> None:
    row = "5::DOUBLE AS a, 2::DOUBLE AS b, NULL::DOUBLE AS missing, 1e300::DOUBLE AS large"
    at = 1_709_213_400_000_000  # 2024-02-29 13:30
    given = connection.sql(f"SELECT {row}, {at} AS asked_at")
    ((found,),) = given.project(expressions.value(Derived("derived", expression))).fetchall()
    assert found == expected


@pytest.mark.parametrize(
    ("text", "seed", "expected"),
    [
        ("", 0, 0xEF46DB3751D8E999),
        ("a", 0, 0xD24EC4F1A98C6E5B),
        ("abc", 0, 0x44BC2CF5AD770999),
        ("Nobody inspects the spammish repetition", 0, 0xFBCEA83C8A378BF1),
    ],
)
def test_the_hash_is_the_published_one(text: str, seed: int, expected: int) -> None:
    assert xxh64(text.encode(), seed) == expected


WHOLE = (0, 1, 2**53 - 1, 2**53, 2**53 + 1, 2**53 + 2, -(2**53) - 1, 2**62 + 1, 2**63 - 1, -(2**63), None)
REAL = (0.0, -0.5, 2.0**53 - 1, 2.0**53, 2.0**53 + 2, 2.0**62, 2.0**63, -(2.0**53), 1e40, None)
OPERANDS = (0, 1, 0.5, 2**53, 2**53 + 1, 2.0**53, -(2**53) - 1, 2**62 + 1, 2.0**63, 2**63 - 1, 10**39, 1e40)
CONDITIONS = [
    Filter("item", comparison, (operand,))
    for comparison in (Comparison.EQUAL, Comparison.NOT_EQUAL, *ORDERED)
    for operand in OPERANDS
] + [Filter("item", Comparison.IN, (2**53 + 1, 1, 2.0**62))]


@pytest.mark.parametrize(
    ("values", "kind"), [(WHOLE, pa.int64()), (REAL, pa.float64())], ids=["whole numbers", "float64"]
)
def test_a_filter_compares_numbers_as_python_does(
    connection: duckdb.DuckDBPyConnection, values: Sequence[int | float | None], kind: pa.DataType
) -> None:
    history = [Happened(0, at, at, {"amount": 1.0, "kind": "", "item": value}, 0) for at, value in enumerate(values)]
    column = column_of(pa.chunked_array([pa.array(values, kind)]))
    order = np.arange(len(values))
    events = Events(np.zeros_like(order), order, order.astype(np.uint64), {"item": column})
    for condition in CONDITIONS:
        group = replace(GROUP, filters=(condition,), windows=(LIFETIME,), aggregations=(count(),))
        expected = sum(passes(event, condition) for event in history)
        assert compute(group, events, as_queries([(0, 100)]))["payments__count_all"] == [expected], condition
        found = judged(connection, group, history, [(0, 100)], {"c:item": kind})
        assert found["payments__count_all"] == [expected], condition


def test_decimals_are_compared_as_the_float64_they_are_read_as(connection: duckdb.DuckDBPyConnection) -> None:
    texts = ("0.1000", "0.3000", "2.5000", "99999999999.9999", "99999999999999.9999", "-0.1000")
    values = [Decimal(text) for text in texts]
    history = [Happened(0, at, at, {"amount": 1.0, "kind": "", "item": value}, 0) for at, value in enumerate(values)]
    for operand in (0.1, 0.3, 2.5, 99999999999.9999, 99999999999.9998, 10**14, 1e14):
        for comparison in (Comparison.EQUAL, *ORDERED):
            condition = Filter("item", comparison, (operand,))
            group = replace(GROUP, filters=(condition,), windows=(LIFETIME,), aggregations=(count(),))
            read = [replace(event, values={"item": float(event.values["item"])}) for event in history]
            expected = sum(passes(event, condition) for event in read)
            found = judged(connection, group, history, [(0, 100)], {"c:item": pa.decimal128(18, 4)})
            assert found["payments__count_all"] == [expected], condition


def test_a_product_of_whole_numbers_is_of_float64(connection: duckdb.DuckDBPyConnection) -> None:
    source = replace(GROUP.source, computed=(Product("worth", "item", "item"),))
    group = replace(GROUP, source=source, filters=(), windows=(LIFETIME,), aggregations=(column("worth").max(),))
    history = [Happened(0, 1, 1, {"amount": 1.0, "kind": "", "item": 2**62}, 0)]
    assert judged(connection, group, history, [(0, 100)])["payments__worth_max_all"] == [2.0**124]


ITEMS = replace(GROUP, filters=(), windows=(days(30), days(90)), aggregations=(column("item").count_distinct(),))


def test_what_states_count_after_a_crowd_is_demanded_exactly_when_no_window_before_it_had_one(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    times = [*range(300), *(day * DAY for day in range(1, 200))]
    history = [
        Happened(0, at, number, {"amount": 1.0, "kind": "", "item": number}, at) for number, at in enumerate(times)
    ]
    asked, counted, layout = (1, 29, 31, 89, 91, 119, 121, 179, 181, 199), [], Layout.of(ITEMS)
    state: list[bytes | None] = [None]
    for day in range(200):
        if day in asked:
            counted.append(merge(Plan.of(layout), state, np.array([day * DAY])).features)
        arrived = as_columns([event for event in history if event.time // DAY == day])
        state = [*apply(layout, state, arrived, np.full(len(arrived), day), day * DAY + HOUR)]
    judged(connection, ITEMS, history, [(0, day * DAY) for day in asked])
    for window, days_of_estimates in (("30d", 119), ("90d", 179)):
        name = f"payments__item_count_distinct_{window}"
        bounds = connection.table("g").order("event_id").project(f'"low:{name}", "high:{name}"').fetchall()
        assert [low == high for low, high in bounds] == [day > days_of_estimates for day in asked]
        assert all(low <= found[name][0] <= high for (low, high), found in zip(bounds, counted, strict=True))


def test_a_small_spread_around_a_large_mean_is_judged(connection: duckdb.DuckDBPyConnection) -> None:
    history = [Happened(0, at, at, {"amount": 1e15 + at % 7, "kind": "card", "item": None}, 0) for at in range(1, 100)]
    expected = statistics.stdev(event.values["amount"] for event in history)
    found = judged(connection, GROUP, history, [(0, 1000)])["payments__amount_std_all"][0]
    assert found == pytest.approx(expected, rel=1e-12)
