"""Feature values of tiles that hold a whole window."""

from collections.abc import Callable, Mapping

import numpy as np

from feature_store.definitions import Function
from feature_store.double_double import Floats, sum_of_squared_deviations
from feature_store.events import Ints
from feature_store.readings import Reading
from feature_store.tiles.layout import Layout, Series
from feature_store.tiles.table import Rows


def tile_values(layout: Layout, series: Series, tiles: Rows) -> Floats:
    """The value of ``series`` for each tile, in the shape of ``tiles``."""
    return FUNCTIONS[series.function](layout, series.reading, tiles)


def count(layout: Layout, reading: Reading, tiles: Rows) -> Floats:
    return _counts(layout, reading, tiles).astype(np.float64)


def total(layout: Layout, reading: Reading, tiles: Rows) -> Floats:
    return _part(tiles, "high", layout.summed.index(reading))


def mean(layout: Layout, reading: Reading, tiles: Rows) -> Floats:
    return _divide(total(layout, reading, tiles), _counts(layout, reading, tiles))


def std(layout: Layout, reading: Reading, tiles: Rows) -> Floats:
    counts = _counts(layout, reading, tiles)
    slots = layout.summed.index(reading), len(layout.summed) + layout.squared.index(reading)
    sums, squares = ((_part(tiles, "high", slot), _part(tiles, "low", slot)) for slot in slots)
    return np.sqrt(_divide(sum_of_squared_deviations(np.maximum(counts, 1), sums, squares), counts - 1))


def minimum(layout: Layout, reading: Reading, tiles: Rows) -> Floats:
    return _part(tiles, "min", layout.lowest.index(reading))


def maximum(layout: Layout, reading: Reading, tiles: Rows) -> Floats:
    return _part(tiles, "max", layout.highest.index(reading))


def first(layout: Layout, reading: Reading, tiles: Rows) -> Floats:
    return _part(tiles, "first_value", layout.first.index(reading))


FUNCTIONS: Mapping[Function, Callable[[Layout, Reading, Rows], Floats]] = {
    Function.COUNT: count,
    Function.COUNT_CATEGORY: count,
    Function.SUM: total,
    Function.MEAN: mean,
    Function.STD: std,
    Function.MIN: minimum,
    Function.MAX: maximum,
    Function.FIRST: first,
}


def _counts(layout: Layout, reading: Reading, tiles: Rows) -> Ints:
    counts: Ints = tiles["count"][..., layout.counted.index(reading)]
    return counts


def _part(tiles: Rows, field: str, slot: int) -> Floats:
    values: Floats = tiles[field][..., slot]
    return values


def _divide(numerator: Floats, denominator: Ints) -> Floats:
    result = np.full(numerator.shape, np.nan)
    np.divide(numerator, denominator, out=result, where=denominator > 0)
    return result
