"""The functions of a range, each over all ranges at once."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from feature_store.columns.double_double import Floats, sum_of_squared_deviations
from feature_store.columns.events import Ints
from feature_store.columns.grouping import group_quantiles
from feature_store.definitions import Feature, Function
from feature_store.kernel.distinct import count_distinct
from feature_store.kernel.extremes import extreme
from feature_store.kernel.quantiles import quantiles
from feature_store.kernel.view import Ranges

SECOND = 1_000_000


def count(ranges: Ranges) -> Floats:
    return ranges.counts.astype(np.float64)


def total(ranges: Ranges) -> Floats:
    return ranges.total[0]


def mean(ranges: Ranges) -> Floats:
    return _divide(ranges.total[0], ranges.counts)


def std(ranges: Ranges) -> Floats:
    """From sums and sums of squares of twice the precision, so nothing cancels that counts."""
    sums, squares = ranges.totals_for_std()
    deviations = sum_of_squared_deviations(np.maximum(ranges.counts, 1), sums, squares)
    return np.sqrt(_divide(np.where(ranges.are_uniform, 0.0, deviations), ranges.counts - 1))


def minimum(ranges: Ranges) -> Floats:
    return _extreme(ranges, np.minimum, np.fmin)


def maximum(ranges: Ranges) -> Floats:
    return _extreme(ranges, np.maximum, np.fmax)


def first(ranges: Ranges) -> Floats:
    position = np.where(ranges.end > ranges.start, ranges.start, -1)
    if len(chosen := ranges.some_withheld):
        found = ranges.known_parts.extreme(ranges.view.index, np.fmin)
        position[chosen] = np.where(np.isnan(found), -1, found)
    return _pick(ranges.view.values, position)


def last(ranges: Ranges) -> Floats:
    return _pick(ranges.view.values, _last(ranges))


def last_k(ranges: Ranges, k: int) -> Floats:
    """The k-th value from the end."""
    position = _last(ranges)
    for _ in range(k - 1):
        position = _last(replace(ranges, end=np.maximum(position, ranges.start)))
    return _pick(ranges.view.values, position)


def time_since_last(ranges: Ranges) -> Floats:
    position = _last(ranges)
    return np.where(position < 0, np.nan, (ranges.time - _pick_time(ranges, position)) / SECOND)


def distinct(ranges: Ranges) -> Floats:
    result = count_distinct(ranges.view.previous, ranges.start, ranges.end).astype(np.float64)
    for chosen, owner, position in ranges.known_events():
        seen = np.unique(np.stack([owner, ranges.view.column.values[position].view(np.int64)]), axis=1)
        result[chosen] = np.bincount(seen[0], minlength=len(chosen))
    return result


def quantile(ranges: Ranges, share: float) -> Floats:
    result = quantiles(ranges.view.values, ranges.start, ranges.end, share)
    for chosen, owner, position in ranges.known_events():
        result[chosen] = group_quantiles(owner, ranges.view.values[position], share, len(chosen))
    return result


def apply(feature: Feature, ranges: Ranges) -> Floats:
    """The values of ``feature``, one a range."""
    match feature.function, feature.argument:
        case Function.LAST_K, int(k):
            return last_k(ranges, k)
        case Function.QUANTILE, float(share):
            return quantile(ranges, share)
        case _:
            return FUNCTIONS[feature.function](ranges)


FUNCTIONS: Mapping[Function, Callable[[Ranges], Floats]] = {
    Function.COUNT: count,
    Function.COUNT_CATEGORY: count,
    Function.SUM: total,
    Function.MEAN: mean,
    Function.STD: std,
    Function.MIN: minimum,
    Function.MAX: maximum,
    Function.FIRST: first,
    Function.LAST: last,
    Function.COUNT_DISTINCT: distinct,
    Function.TIME_SINCE_LAST: time_since_last,
}


def _extreme(ranges: Ranges, better: np.ufunc, better_if_any: np.ufunc) -> Floats:
    result = extreme(ranges.view.values, ranges.start, ranges.end, better)
    if len(chosen := ranges.some_withheld):
        result[chosen] = ranges.known_parts.extreme(ranges.view.values, better_if_any)
    return result


def _last(ranges: Ranges) -> Ints:
    """The position of the latest event, -1 where there is none."""
    position = np.where(ranges.end > ranges.start, ranges.end - 1, -1)
    if len(chosen := ranges.some_withheld):
        found = ranges.known_parts.extreme(ranges.view.index, np.fmax)
        position[chosen] = np.where(np.isnan(found), -1, found)
    return position


def _pick(values: Floats, position: Ints) -> Floats:
    if not len(values):
        return np.full(len(position), np.nan)
    return np.where(position < 0, np.nan, values[position])


def _pick_time(ranges: Ranges, position: Ints) -> Ints:
    times = ranges.view.events.time
    return times[position] if len(times) else position


def _divide(numerator: Floats, denominator: Ints) -> Floats:
    result = np.full(len(numerator), np.nan)
    np.divide(numerator, denominator, out=result, where=denominator > 0)
    return result
