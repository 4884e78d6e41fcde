"""From a group's definition, events and queries to feature values."""

from collections.abc import Mapping
from datetime import timedelta
from itertools import groupby

import numpy as np

from feature_store.definitions import LIFETIME, FeatureGroup
from feature_store.events import Events, Features, Ints, Queries
from feature_store.filters import passing
from feature_store.kernel.functions import apply
from feature_store.kernel.timeline import Timeline
from feature_store.kernel.view import Ranges, View
from feature_store.readings import Reading
from feature_store.windows import tail


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
    for reading, features in groupby(sorted(group.features, key=Reading.of), key=Reading.of):
        view = View.of(timeline.events, reading.read(timeline.events))
        ranges: dict[timedelta, Ranges] = {}
        for feature in features:
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
