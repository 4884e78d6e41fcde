"""The kernel computes what the judge computes."""

import math
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feature_store.columns.arrow import column_of
from feature_store.columns.events import Column, EventColumnsError, Events
from feature_store.definitions import LIFETIME, FeatureGroup, FeatureService, Filter, column, count
from feature_store.kernel import compute, timeline
from tests.cases.window_histories import (
    GROUP,
    HOUR,
    RICH,
    UNFILTERED,
    amount,
    as_columns,
    as_queries,
    assert_agrees,
    happened,
    histories,
    mixed_magnitudes,
    query_times,
)

NO_MEASUREMENTS = (1.0, math.nan, math.inf, -math.inf, 1e101, 2.0)
"""Between two that are."""


@pytest.mark.parametrize("as_known", [False, True], ids=["all events", "as known"])
@pytest.mark.parametrize("group", [GROUP, RICH, UNFILTERED], ids=lambda group: group.name)
@settings(max_examples=100)
@given(data=st.data())
def test_the_kernel_agrees_with_the_judge(group: FeatureGroup, as_known: bool, data: Any) -> None:
    history = data.draw(histories())
    asked = data.draw(query_times(history))
    found = compute(group, as_columns(history), as_queries(asked, as_known))
    assert_agrees(found, history, asked, group, as_known)


def test_only_what_a_service_reads_is_computed_and_is_the_same() -> None:
    events = as_columns(mixed_magnitudes(9))
    asked = as_queries([(0, HOUR), (0, 5 * HOUR), (0, 50 * HOUR)])
    service = FeatureService("some", RICH.features[1::3])
    whole = compute(RICH, events, asked)
    found = compute(RICH, events, asked, service.read_of(RICH))
    assert found.keys() == set(service.names)
    for name, values in found.items():
        np.testing.assert_array_equal(values, whole[name])


@pytest.mark.parametrize("as_known", [False, True], ids=["all events", "as known"])
@pytest.mark.parametrize("largest", [9, 15, 40])
def test_a_sum_is_right_whatever_stands_before_it(largest: int, as_known: bool) -> None:
    history = mixed_magnitudes(largest)
    if as_known:
        history = [replace(event, known_time=event.time + number % 5 * HOUR) for number, event in enumerate(history)]
    asked = [(event.entity, event.time + 1) for event in history[::2]]
    assert_agrees(compute(GROUP, as_columns(history), as_queries(asked, as_known)), history, asked, GROUP, as_known)


def test_values_as_known_need_the_known_time() -> None:
    events = replace(as_columns(mixed_magnitudes(3)), known_time=None)
    with pytest.raises(EventColumnsError, match="values as known need the events' known_time"):
        compute(GROUP, events, as_queries([(0, 0)], as_known=True))


def test_a_feature_of_numbers_refuses_a_column_of_texts() -> None:
    events = as_columns(mixed_magnitudes(3))
    texts = replace(events, columns={**events.columns, "amount": events.columns["kind"]})
    with pytest.raises(EventColumnsError, match="a column of object where a feature needs numbers"):
        compute(replace(GROUP, filters=()), texts, as_queries([(0, 0)]))


@pytest.mark.parametrize(
    ("kind", "seen"),
    [
        (pa.timestamp("us", "UTC"), (datetime(2024, 5, 1, 8, tzinfo=UTC), datetime(2024, 5, 1, 9, tzinfo=UTC))),
        (pa.date32(), (date(2024, 5, 1), date(2024, 5, 2))),
        (pa.bool_(), (True, False)),
    ],
    ids=str,
)
def test_values_that_are_neither_texts_nor_numbers_can_be_counted(kind: pa.DataType, seen: tuple[Any, Any]) -> None:
    values = pa.array([seen[0], None, seen[1], seen[0]], kind)
    rows = np.arange(len(values))
    columns = {"seen": column_of(pa.chunked_array([values]))}
    group = replace(GROUP, filters=(), windows=(LIFETIME,), aggregations=(column("seen").count_distinct(),))
    events = Events(np.zeros_like(rows), rows, rows.astype(np.uint64), columns)
    assert list(compute(group, events, as_queries([(0, 10)]))["payments__seen_count_distinct_all"]) == [2.0]


@pytest.mark.parametrize(
    "values",
    [
        pa.array([["a"], None, []], pa.list_(pa.string())),
        pa.array([[("a", 1.0)], None, []], pa.map_("string", "double")),
    ],
    ids=["lists", "maps"],
)
def test_of_lists_and_maps_it_counts_whether_they_are_there(values: pa.Array) -> None:
    rows, tags = np.arange(len(values)), column("tags")
    events = Events(np.zeros_like(rows), rows, rows.astype(np.uint64), {"tags": column_of(pa.chunked_array([values]))})
    group = replace(GROUP, windows=(LIFETIME,), aggregations=(tags.count(), tags.time_since_last()), filters=())
    found = compute(group, events, as_queries([(0, 10)]))
    assert [values.tolist() for values in found.values()] == [[2.0], [8e-6]]
    without = compute(replace(group, filters=(tags.is_null(),), aggregations=(count(),)), events, as_queries([(0, 10)]))
    assert list(without["payments__count_all"]) == [1.0]


def test_what_is_no_measurement_counts_as_null() -> None:
    numbers = np.array(NO_MEASUREMENTS)
    rows = np.arange(len(numbers))
    events = Events(np.zeros_like(rows), rows, rows.astype(np.uint64), {"amount": Column(numbers, ~np.isnan(numbers))})
    expected = {"sum": 3.0, "max": 2.0, "mean": 1.5, "count": 2.0, "count_distinct": 2.0, "time_since_last": 5e-6}
    functions = (amount.sum(), amount.max(), amount.mean(), amount.count(), amount.count_distinct())
    group = replace(GROUP, filters=(), aggregations=(*functions, amount.time_since_last()))
    found = compute(group, events, as_queries([(0, 10)]))
    assert {one: found[f"payments__amount_{one}_all"][0] for one in expected} == expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (amount > 0, 2),
        (amount != 5, 2),
        (amount.is_null(), 4),
        (amount.is_not_null(), 2),
        (amount.is_in(1.0, 1e101), 1),
    ],
    ids=repr,
)
def test_a_filter_sees_null_where_there_is_no_measurement(condition: Filter, expected: int) -> None:
    history = [happened((0, number), number, value, "card", 0) for number, value in enumerate(NO_MEASUREMENTS)]
    found = compute(replace(GROUP, filters=(condition,)), as_columns(history), as_queries([(0, 10)]))
    assert found["payments__count_all"][0] == expected


def test_an_event_is_known_from_its_known_time_on() -> None:
    history = [happened((0, 100), 1, 5.0, "card", 900), happened((0, 200), 2, 7.0, "card", 0)]
    found = compute(GROUP, as_columns(history), as_queries([(0, 999), (0, 1000), (0, 1001)], as_known=True))
    assert list(found["payments__amount_sum_all"]) == [7.0, 12.0, 12.0]


def test_an_entity_without_events_and_one_never_seen_have_empty_windows() -> None:
    history = [happened((2, 100), 1, 5.0, "card", 0)]
    asked = [(0, 200), (1, 200), (7, 200), (-1, 200)]
    assert_agrees(compute(GROUP, as_columns(history), as_queries(asked)), history, asked)
    assert_agrees(compute(GROUP, as_columns([]), as_queries(asked)), [], asked)


def test_a_small_spread_around_a_large_mean_keeps_its_digits() -> None:
    history = [happened((0, number * HOUR), number, 1e9 + number % 7 / 1000, "card", 0) for number in range(100)]
    asked = [(0, event.time + 1) for event in history]
    assert_agrees(compute(GROUP, as_columns(history), as_queries(asked)), history, asked)


def test_the_pieces_that_entities_are_cut_into_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    history = mixed_magnitudes(9)
    events, queries = as_columns(history), as_queries([(event.entity - 1, event.time + 1) for event in history])
    whole = compute(RICH, events, queries)
    monkeypatch.setattr(timeline, "PIECE", 7)
    for name, values in compute(RICH, events, queries).items():
        np.testing.assert_array_equal(values, whole[name])
