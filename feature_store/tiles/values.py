"""Feature values of what whole windows add up to."""

from collections.abc import Callable, Mapping

import numpy as np

from feature_store.definitions import Function
from feature_store.double_double import Floats, sum_of_squared_deviations
from feature_store.events import Ints
from feature_store.readings import Reading
from feature_store.tiles.layout import Layout, Series
from feature_store.tiles.windowed import Totals


def tile_values(layout: Layout, series: Series, totals: Totals) -> Floats:
    """Shape (entities, windows)."""
    return FUNCTIONS[series.function](layout, series.reading, totals)


def count(layout: Layout, reading: Reading, totals: Totals) -> Floats:
    return _counts(layout, reading, totals).astype(np.float64)


def total(layout: Layout, reading: Reading, totals: Totals) -> Floats:
    values: Floats = totals.high[..., layout.summed.index(reading)]
    return values


def mean(layout: Layout, reading: Reading, totals: Totals) -> Floats:
    return _divide(total(layout, reading, totals), _counts(layout, reading, totals))


def std(layout: Layout, reading: Reading, totals: Totals) -> Floats:
    counts = _counts(layout, reading, totals)
    slots = layout.summed.index(reading), len(layout.summed) + layout.squared.index(reading)
    sums, squares = ((totals.high[..., slot], totals.low[..., slot]) for slot in slots)
    return np.sqrt(_divide(sum_of_squared_deviations(np.maximum(counts, 1), sums, squares), counts - 1))


def minimum(layout: Layout, reading: Reading, totals: Totals) -> Floats:
    values: Floats = totals.min[..., layout.lowest.index(reading)]
    return values


def maximum(layout: Layout, reading: Reading, totals: Totals) -> Floats:
    values: Floats = totals.max[..., layout.highest.index(reading)]
    return values


def first(layout: Layout, reading: Reading, totals: Totals) -> Floats:
    values: Floats = totals.first_value[..., layout.first.index(reading)]
    return values


FUNCTIONS: Mapping[Function, Callable[[Layout, Reading, Totals], Floats]] = {
    Function.COUNT: count,
    Function.COUNT_CATEGORY: count,
    Function.SUM: total,
    Function.MEAN: mean,
    Function.STD: std,
    Function.MIN: minimum,
    Function.MAX: maximum,
    Function.FIRST: first,
}


def _counts(layout: Layout, reading: Reading, totals: Totals) -> Ints:
    counts: Ints = totals.counts[..., layout.counted.index(reading)]
    return counts


def _divide(numerator: Floats, denominator: Ints) -> Floats:
    result = np.full(numerator.shape, np.nan)
    np.divide(numerator, denominator, out=result, where=denominator > 0)
    return result
