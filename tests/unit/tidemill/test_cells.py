import math
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from tidemill.cells import csv_value, json_value, unique


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        (None, None),
        (True, True),
        (2**70, 1180591620717411303424),
        (0.1, 0.1),
        (math.nan, "NaN"),
        (math.inf, "Infinity"),
        (-math.inf, "-Infinity"),
        (Decimal("1.1000"), "1.1000"),
        (Decimal("1E-10"), "0.0000000001"),
        (b"\xff{", "\\xff{"),
        (datetime(2024, 5, 1, 12, 0, 0, 123456, tzinfo=UTC), "2024-05-01 12:00:00.123456+00:00"),
        (date(2024, 5, 1), "2024-05-01"),
        ([1.0, math.nan, None, Decimal("0.10")], [1.0, "NaN", None, "0.10"]),
        ({"a": {"b": (b"x", math.inf)}}, {"a": {"b": ["x", "Infinity"]}}),
        ({date(2024, 5, 1): 1, 2: 2, Decimal("1.50"): 3}, {"2024-05-01": 1, "2": 2, "1.50": 3}),
    ],
    ids=str,
)
def test_a_cell_is_a_json_value_with_nothing_lost(cell: Any, value: Any) -> None:
    assert json_value(cell) == value


@pytest.mark.parametrize(
    ("cell", "field"),
    [
        (None, None),
        (True, "true"),
        (math.nan, "NaN"),
        (Decimal("1.10"), "1.10"),
        ([Decimal("1.10"), math.nan], '["1.10", "NaN"]'),
        ({"name": None}, '{"name": null}'),
    ],
    ids=str,
)
def test_a_cell_is_a_field_of_csv_without_a_word_of_python(cell: Any, field: Any) -> None:
    assert csv_value(cell) == field


@pytest.mark.parametrize(
    ("names", "apart"),
    [
        (["a", "b"], ["a", "b"]),
        (["a", "a", "a"], ["a", "a_1", "a_2"]),
        (["a", "a", "a_1"], ["a", "a_2", "a_1"]),
        (["a_1", "a", "a"], ["a_1", "a", "a_2"]),
    ],
    ids=" ".join,
)
def test_two_columns_of_one_name_are_kept_apart(names: list[str], apart: list[str]) -> None:
    assert unique(names) == apart
