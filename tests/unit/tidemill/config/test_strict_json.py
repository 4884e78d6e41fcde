import json
import math
from typing import Any, NoReturn

import pytest

from tidemill.config import strict_json


def refuse(constant: str) -> NoReturn:
    raise AssertionError(f"{constant} is no JSON")


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (math.nan, None),
        ({"a": [1, math.inf, {"b": (-math.inf, 0.5)}]}, {"a": [1, None, {"b": [None, 0.5]}]}),
        (["NaN", True, 2**70], ["NaN", True, 2**70]),
    ],
    ids=["nan", "nested", "kept"],
)
def test_a_number_that_is_not_finite_is_null(value: Any, read: Any) -> None:
    assert json.loads(strict_json.dumps(value), parse_constant=refuse) == read
