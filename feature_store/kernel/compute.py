"""From a group's definition, events and queries to feature values."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from feature_store.columns.events import Events, Features, Ints, Queries
from feature_store.columns.filters import passing
from feature_store.columns.readings import Reading
from feature_store.definitions import LIFETIME, Feature, FeatureGroup
from feature_store.definitions.windows import tail
from feature_store.kernel.functions import apply
from feature_store.kernel.timeline import Timeline, in_order, pieces
from feature_store.kernel.view import Ranges, View


def compute(
    group: FeatureGroup, events: Events, queries: Queries, features: Sequence[Feature] | None = None
) -> Features:
    """``features`` of ``group`` (by default all) at every query, in the order of the queries.

    Raises:
        EventColumnsError: a column is missing, or its type does not fit its features.
    """
    ordered = in_order(events.take(passing(group.filters, events)))
    order = np.lexsort((queries.time, queries.entity))
    sorted_queries = queries.take(order)
    wanted = group.features if features is None else features
    result = {feature.name: np.empty(len(queries)) for feature in wanted}
    for some_events, some in pieces(ordered.entity, sorted_queries.entity):
        timeline = Timeline.of(ordered.take(some_events))
        for name, values in _values(wanted, timeline, sorted_queries.take(some)):
            result[name][order[some]] = values
    return result


def _values(
    wanted: Sequence[Feature], timeline: Timeline, queries: Queries
) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Feature by feature; queries are sorted."""
    end = timeline.before(queries.entity, queries.time)
    starts = _starts(wanted, timeline, queries)
    for reading, features in groupby(sorted(wanted, key=Reading.of), key=Reading.of):
        view = View.of(timeline.events, reading.read(timeline.events))
        ranges: dict[timedelta, Ranges] = {}
        for feature in features:
            if feature.window not in ranges:
                start, stop = view.ranges(starts[feature.window], end)
                ranges[feature.window] = Ranges(view, start, stop, queries.time, queries.known_until)
            yield feature.name, apply(feature, ranges[feature.window])


def _starts(wanted: Sequence[Feature], timeline: Timeline, queries: Queries) -> Mapping[timedelta, Ints]:
    """The position of the first event that each window covers at each query."""
    entity, time = queries.entity, queries.time
    return {
        window: timeline.bounds(entity)[0] if window == LIFETIME else timeline.before(entity, tail(time, window))
        for window in {feature.window for feature in wanted}
    }
