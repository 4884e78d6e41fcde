"""Maps of the log as columns."""

import math

import numpy as np
import pyarrow as pa

from ml_modeling.replay.logged import by_name

KIND = pa.list_(pa.string()), pa.list_(pa.float64())


Row = dict[str, float | None] | None


def columns(rows: list[Row], wanted: tuple[str, ...]) -> tuple[list[list[float]], list[bool]]:
    names = pa.array([None if row is None else list(row) for row in rows], KIND[0])
    values = pa.array([None if row is None else list(row.values()) for row in rows], KIND[1])
    found, is_whole = by_name(names, values, wanted)
    return found.tolist(), is_whole.tolist()


def test_each_name_has_its_column_in_whatever_order_a_row_has_them() -> None:
    found, is_whole = columns([{"a": 1.0, "b": 2.0}, {"b": 4.0, "a": 3.0, "c": 9.0}], ("b", "a"))
    assert (found, is_whole) == ([[2.0, 1.0], [4.0, 3.0]], [True, True])


def test_a_missing_value_is_there_and_a_missing_name_is_not() -> None:
    found, is_whole = columns([{"a": None, "b": 2.0}, {"b": 4.0}, {}, None, {"a": 5.0, "b": 0.0}], ("a", "b"))
    assert is_whole == [True, False, False, False, True]
    assert math.isnan(found[0][0])
    np.testing.assert_equal(found, [[np.nan, 2.0], [np.nan, 4.0], [np.nan] * 2, [np.nan] * 2, [5.0, 0.0]])


def test_a_slice_of_a_batch_is_read_as_what_it_is() -> None:
    names = pa.array([["a"], ["b", "a"], ["a", "b"]], KIND[0]).slice(1)
    values = pa.array([[9.0], [2.0, 1.0], [3.0, 4.0]], KIND[1]).slice(1)
    found, is_whole = by_name(names, values, ("a", "b"))
    assert (found.tolist(), is_whole.tolist()) == ([[1.0, 2.0], [3.0, 4.0]], [True, True])
