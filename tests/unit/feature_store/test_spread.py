"""Standard deviations of near values, of kernel and states, against exact fractions."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from random import Random

import numpy as np
import pytest

from feature_store.definitions import LIFETIME
from feature_store.kernel import compute
from feature_store.tiles import Layout, apply
from feature_store.tiles.merge import Plan, merge
from tests.cases.window_histories import GROUP, HOUR, amount, as_columns, as_queries, happened

SPREAD = replace(GROUP, filters=(), windows=(LIFETIME,), aggregations=(amount.std(),))
LAYOUT = Layout.of(SPREAD)
NAME, LATER = "payments__amount_std_all", 10_000 * HOUR
SIZES = (2, 3, 10, 100, 500)


def found(values: Sequence[float]) -> tuple[float, float]:
    """By the kernel, after another entity's large values, and by a state of three commits."""
    own = [happened((1, number * HOUR), number, value, "card", 0) for number, value in enumerate(values)]
    before = [happened((0, number * HOUR), number, 1e12 + number, "card", 0) for number in range(50)]
    state: list[bytes | None] = [None]
    for version in range(3):
        events = [replace(event, entity=0) for event in own[version::3]]
        state = [*apply(LAYOUT, state, as_columns(events), np.full(len(events), version), LATER)]
    by_kernel = compute(SPREAD, as_columns([*before, *own]), as_queries([(1, LATER)]))[NAME][0]
    return float(by_kernel), float(merge(Plan.of(LAYOUT), state, np.array([LATER])).features[NAME][0])


def exact(values: Sequence[float]) -> float:
    return math.sqrt(statistics.variance([Fraction(value) for value in values]))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((1e15, 1e15 + 1, 1e15 + 2), 1.0),
        ((-1e15, -1e15 - 1), math.sqrt(0.5)),
        ((1e9, 1e9 + 1e-3, 1e9 - 1e-3), exact((1e9, 1e9 + 1e-3, 1e9 - 1e-3))),
        ((1e100, -1e100), math.sqrt(2) * 1e100),
    ],
)
def test_large_near_values_have_their_spread(values: Sequence[float], expected: float) -> None:
    assert found(values) == pytest.approx((expected, expected), rel=1e-9)


@pytest.mark.parametrize("number", SIZES)
def test_equal_values_have_no_spread(number: int) -> None:
    random = Random(number)
    for _ in range(20):
        assert found([random.uniform(-1, 1) * 10.0 ** random.randint(-6, 15)] * number) == (0.0, 0.0)


@pytest.mark.parametrize("number", SIZES)
def test_a_spread_is_right_down_to_the_stated_limit(number: int) -> None:
    random, limit = Random(number), 5e-12 * math.sqrt(number)
    judged = 0
    for _ in range(30):
        size = random.uniform(0.1, 1) * 10.0 ** random.randint(-6, 15)
        values = [size * (1 + random.gauss(0, 1.5) * limit) for _ in range(number)]
        expected = exact(values)
        if expected >= limit * size:
            judged += 1
            assert found(values) == pytest.approx((expected, expected), rel=1e-9)
    assert judged > 5


@pytest.mark.parametrize("number", SIZES)
def test_below_the_other_limit_nothing_is_left(number: int) -> None:
    values = [1.0] * (number - 1) + [1.0 + 2**-52]
    assert 0 < exact(values) < 2.2e-16 * math.sqrt(number + 2)
    assert found(values)[1] == 0
