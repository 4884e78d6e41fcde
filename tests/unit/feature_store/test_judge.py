"""The judge in SQL says what the loop over events says."""

from collections.abc import Iterator, Sequence
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feature_store.definitions import DAY_OF_WEEK, HOUR_OF_DAY, Derived, FeatureGroup, Input
from feature_store.judge import expressions
from feature_store.judge.hashing import xxh64
from feature_store.judge.values import group_features, workspace
from tests.cases.naive_windows import Happened
from tests.cases.window_histories import GROUP, RICH, assert_agrees, histories, mixed_magnitudes, query_times

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
    connection.from_arrow(pa.Table.from_pylist(rows, EVENTS)).create("g_events")
    connection.from_arrow(pa.Table.from_pylist(questions, ASKED)).create("g_asked")
    group_features(connection, group, group.features, "g")
    found = connection.sql("SELECT * FROM g ORDER BY event_id").to_arrow_table()
    return {
        feature.name: found[feature.name].cast(pa.float64()).to_numpy().astype(np.float64) for feature in group.features
    }


@pytest.mark.parametrize("group", [GROUP, RICH], ids=lambda group: group.name)
@settings(max_examples=50, deadline=None)
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
