"""From a group's definition, events and queries to feature values."""

from collections.abc import Mapping
from datetime import timedelta
from itertools import groupby

import numpy as np

from feature_store.definitions import LIFETIME, Feature, FeatureGroup, Function
from feature_store.events import Column, Events, Features, Ints, Queries
from feature_store.filters import passing
from feature_store.hashing import stable_hash
from feature_store.kernel.functions import apply
from feature_store.kernel.timeline import Timeline
from feature_store.kernel.view import Ranges, View
from feature_store.windows import tail

OF_ANY_TYPE = frozenset((Function.COUNT, Function.TIME_SINCE_LAST))


def compute(group: FeatureGroup, events: Events, queries: Queries, as_known: bool = False) -> Features:
    """Every feature of ``group`` at every query, in the order of the queries.

    With ``as_known``, only events with ``known_time <= t`` count: what the platform could have seen at t.

    Raises:
        EventColumnsError: a column is missing, or its type does not fit its features.
    """
    timeline = Timeline.of(events.take(passing(group.filters, events)))
    order = np.lexsort((queries.time, queries.entity))
    entity, time = queries.entity[order], queries.time[order]
    end = timeline.before(entity, time)
    starts = _starts(group, timeline, entity, time)
    result: Features = {}
    for _, features in groupby(sorted(group.features, key=_view_key), key=_view_key):
        wanted = list(features)
        view = View.of(timeline.events, _column(wanted[0], timeline.events))
        ranges: dict[timedelta, Ranges] = {}
        for feature in wanted:
            if feature.window not in ranges:
                start, stop = view.ranges(starts[feature.window], end)
                ranges[feature.window] = Ranges(view, start, stop, time, as_known)
            values = np.empty(len(queries))
            values[order] = apply(feature, ranges[feature.window])
            result[feature.name] = values
    return {feature.name: result[feature.name] for feature in group.features}


def _starts(group: FeatureGroup, timeline: Timeline, entity: Ints, time: Ints) -> Mapping[timedelta, Ints]:
    windows = {feature.window for feature in group.features}
    return {
        window: timeline.bounds(entity)[0] if window == LIFETIME else timeline.before(entity, tail(time, window))
        for window in windows
    }


def _view_key(feature: Feature) -> tuple[str, str, str]:
    """Features with the same key see the same events and values of them."""
    if feature.function is Function.COUNT_CATEGORY:
        return feature.column or "", "category", str(feature.argument)
    if feature.function is Function.COUNT_DISTINCT:
        return feature.column or "", "hash", ""
    return feature.column or "", "any" if feature.function in OF_ANY_TYPE else "number", ""


def _column(feature: Feature, events: Events) -> Column:
    if feature.column is None:
        return Column(np.zeros(len(events), dtype=np.int8), np.ones(len(events), dtype=np.bool_))
    column = events.column(feature.column)
    match feature.function:
        case Function.COUNT | Function.TIME_SINCE_LAST:
            return column
        case Function.COUNT_CATEGORY:
            return Column(column.values, column.valid & np.asarray(column.values == feature.argument, dtype=np.bool_))
        case Function.COUNT_DISTINCT:
            return Column(stable_hash(column), column.valid)
    return column.numbers()
