"""Sums that lose nothing that matters: numbers as an unevaluated pair ``high + low``, about 32 decimal digits.

A sum of 1e15 and 1e-3 keeps both, in whatever order and grouping it was made, which is what lets tiles and prefix sums
agree. Sources: Dekker, "A floating-point technique for extending the available precision", 1971 (split, product);
Knuth, TAOCP volume 2, section 4.2.2 (two_sum); Ogita, Rump, Oishi, "Accurate sum and dot product", 2005 (Sum2).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Pair = tuple[Floats, Floats]

SPLITTER = 134217729.0  # 2 ** 27 + 1
EPSILON = float(np.finfo(np.float64).eps)


def two_sum(a: Any, b: Any) -> tuple[Any, Any]:
    """``a + b`` rounded, and exactly what the rounding lost."""
    total = a + b
    from_b = total - a
    return total, (a - (total - from_b)) + (b - from_b)


def normal(high: Any, low: Any) -> tuple[Any, Any]:
    """The pair whose ``high`` is the rounded sum; ``high`` is the larger."""
    total = high + low
    return total, low - (total - high)


def square(x: Any) -> tuple[Any, Any]:
    """``x * x``, exactly, for numbers between 1e-130 and 1e130."""
    high = x * x
    scaled = SPLITTER * x
    top = scaled - (scaled - x)
    bottom = x - top
    return high, ((top * top - high) + 2 * top * bottom) + bottom * bottom


def add(a: Pair, b: Pair) -> Pair:
    high, lost = two_sum(a[0], b[0])
    return normal(high, lost + (a[1] + b[1]))


def prefix_sums(values: Floats, lost: Floats | None = None) -> Pair:
    """Running sums along the last axis of ``values`` (plus ``lost``, its low parts, if it has any)."""
    high = np.cumsum(values, axis=-1)
    before = np.zeros_like(high)
    before[..., 1:] = high[..., :-1]
    from_value = high - before
    error = (before - (high - from_value)) + (values - from_value)
    return high, np.cumsum(error if lost is None else error + lost, axis=-1)


def sum_of_squared_deviations(count: NDArray[np.int64], total: Pair, squares: Pair) -> Floats:
    """``squares - total ** 2 / count``, never negative; ``count`` is positive.

    The difference itself loses nothing. What remains is what the sums lost, each of which was rounded ``count`` times;
    a result within that counts as none.
    """
    number = count.astype(np.float64)
    times_squares, rest = _product(number, squares[0])
    of_total, rest_of_total = square(total[0])
    difference, lost = two_sum(times_squares, -of_total)
    for part in (rest, -rest_of_total, number * squares[1], -2 * total[0] * total[1]):
        difference, rounded = two_sum(difference, part)
        lost = lost + rounded
    result = (difference + (lost - total[1] * total[1])) / number
    return np.where(result > least_deviations(count, squares[0]), result, 0.0)


def least_deviations(count: NDArray[np.int64], squares: Floats) -> Floats:
    """What a sum of squared deviations may be by rounding alone."""
    return (count + 2) * 2.0**-104 * squares


def _product(a: Floats, b: Floats) -> Pair:
    """``a * b``, exactly."""
    high = a * b
    scaled_a, scaled_b = SPLITTER * a, SPLITTER * b
    top_a, top_b = scaled_a - (scaled_a - a), scaled_b - (scaled_b - b)
    bottom_a, bottom_b = a - top_a, b - top_b
    return high, ((top_a * top_b - high) + top_a * bottom_b + bottom_a * top_b) + bottom_a * bottom_b
