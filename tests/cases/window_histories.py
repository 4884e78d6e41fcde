"""Histories that windows get wrong, drawn by hypothesis, and the same events as the columns that engines take."""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from feature_store.columns.events import Column, Events, Queries
from feature_store.definitions import (
    LIFETIME,
    Entity,
    Feature,
    FeatureGroup,
    Function,
    Source,
    column,
    count,
    days,
    hours,
    minutes,
    time_since_last,
)
from tests.cases.naive_windows import Happened, naive_value, naive_window

SECOND, MINUTE, HOUR, DAY = 1_000_000, 60_000_000, 3_600_000_000, 86_400_000_000
amount, kind = column("amount"), column("kind")

UNFILTERED = FeatureGroup(
    name="unfiltered",
    entity=Entity("customer", "customer_id"),
    source=Source("silver/payments"),
    windows=(hours(1), LIFETIME),
    aggregations=(
        count(),
        amount.count(),
        amount.time_since_last(),
        amount.count_distinct(),
        amount.last_k(2),
        amount.quantiles(0.5),
        amount.sum(),
        amount.max(),
        amount.first(),
    ),
)
"""Every event counts, also one whose amount does not."""

GROUP = FeatureGroup(
    name="payments",
    entity=Entity("customer", "customer_id"),
    source=Source("silver/payments"),
    filters=(kind.is_in("card", "cash", "other"), amount != 13.0),
    windows=(minutes(5), hours(1), hours(12), days(7), days(12), LIFETIME),
    aggregations=(
        count(),
        amount.count(),
        amount.sum(),
        amount.mean(),
        amount.min(),
        amount.max(),
        amount.std(),
        amount.first(),
        amount.last(),
    ),
)

RICH = FeatureGroup(
    name="rich",
    entity=GROUP.entity,
    source=GROUP.source,
    filters=(amount.is_not_null(),),
    windows=(hours(1), days(7), LIFETIME),
    aggregations=(
        time_since_last(),
        amount.last_k(3),
        kind.count(windows=(days(30),)),
        kind.time_since_last(),
        kind.count_categories("card", "gift"),
        amount.quantiles(0.1, 0.5, 0.99),
        column("item").count_distinct(),
        kind.count_distinct(windows=(hours(12), LIFETIME)),
    ),
)

# The moments where days, hours, months and the sign of the clock change.
ANCHORS = tuple(
    int(datetime(*ymdhm, tzinfo=UTC).timestamp()) * SECOND
    for ymdhm in ((1969, 12, 31, 23, 55), (1970, 1, 1, 0, 0), (2024, 2, 29, 0, 0), (2024, 3, 1, 0, 0))
)
STEPS = (0, 5 * MINUTE, HOUR, 12 * HOUR, DAY, 7 * DAY, 12 * DAY, 13 * DAY)

values = st.one_of(
    st.none(),
    st.sampled_from((0.0, 1.0, -1.0, 0.1, 13.0, 1e15, -1e15, 1e-3, 1e9, 1e9 + 1e-3)),
    st.sampled_from((math.nan, math.inf, -math.inf, 1.1e100, -1e101)),
    st.floats(-1e6, 1e6).map(lambda value: value if abs(value) > 1e-100 else 0.0),
)
moments = st.builds(
    lambda anchor, step, times, offset: ANCHORS[anchor] + STEPS[step] * times + offset,
    st.integers(1, 2) | st.integers(0, 3),
    st.integers(0, len(STEPS) - 1),
    st.integers(-2, 2),
    st.sampled_from((0, 0, -1, 1, 30 * SECOND, -MINUTE)) | st.integers(-DAY, DAY),
)
repeats = st.sampled_from((False, False, True))
"""Whether an event is of the same entity and time as the one before."""
delays = st.sampled_from((0, 0, 1, 2, SECOND, MINUTE, HOUR, DAY, 8 * DAY)) | st.integers(0, DAY)


@st.composite
def histories(draw: st.DrawFn, most: int = 25) -> list[Happened]:
    """Events in order of arrival, their ties unique."""
    kinds = st.sampled_from(("card", "cash", "card", None, "gift"))
    rows = draw(st.lists(st.tuples(st.integers(0, 2), moments, values, kinds, delays, repeats), max_size=most))
    ties = draw(st.permutations(range(len(rows))))
    history: list[Happened] = []
    for (entity, time, value, of_kind, delay, repeat), tie in zip(rows, ties, strict=True):
        if repeat and history:
            entity, time = history[-1].entity, history[-1].time  # noqa: PLW2901
        history.append(happened((entity, time), tie, value, of_kind, delay))
    return history


def mixed_magnitudes(largest: int) -> list[Happened]:
    """Amounts from 1e-6 to ten to the power of ``largest`` next to each other, a few hours apart."""
    random = Random(largest)
    return [
        happened((number % 3, ANCHORS[2] + number * 7 * HOUR), number, amount_of(random, largest), "card", 0)
        for number in range(60)
    ]


def amount_of(random: Random, largest: int) -> float:
    power = random.choice((-6, -3, 0, 0, 0, 3, largest))
    return random.choice((-1, 1)) * random.random() * 10.0**power


def happened(who_when: tuple[int, int], tie: int, value: float | None, of_kind: str | None, delay: int) -> Happened:
    entity, time = who_when
    item = None if value is None or not math.isfinite(value) else int(value) % 4
    return Happened(entity, time, tie, {"amount": value, "kind": of_kind, "item": item}, time + delay)


@st.composite
def query_times(draw: st.DrawFn, history: Sequence[Happened], most: int = 6) -> list[tuple[int, int]]:
    """(entity, time): near events, and near where events fall out of windows."""
    near = [(event.entity, event.time) for event in history] + [(3, ANCHORS[1])]
    windows = sorted(
        {feature.window // timedelta(microseconds=1) for feature in GROUP.features}
        - {LIFETIME // timedelta(microseconds=1)}
    )
    moment = st.builds(
        lambda event, window, offset: (event[0], event[1] + window + offset),
        st.sampled_from(near),
        st.sampled_from((0, *windows)),
        st.sampled_from((0, 1, -1, 5 * MINUTE, HOUR - 1, HOUR, DAY - 1, DAY, 100 * DAY)),
    )
    return draw(st.lists(moment, min_size=1, max_size=most))


def as_columns(history: Sequence[Happened]) -> Events:
    return Events(
        entity=np.array([event.entity for event in history], dtype=np.int64),
        time=np.array([event.time for event in history], dtype=np.int64),
        tie=np.array([event.tie for event in history], dtype=np.uint64),
        columns={
            "amount": numbers([event.values["amount"] for event in history]),
            "kind": Column.of([event.values["kind"] for event in history], fill=""),
            "item": Column.of([event.values["item"] for event in history], fill=0),
        },
        known_time=np.array([event.known_time for event in history], dtype=np.int64),
    )


def numbers(values: Sequence[Any]) -> Column:
    """As a Parquet file has them: what is no number is a value there, and no null."""
    valid = np.array([value is not None for value in values], dtype=np.bool_)
    return Column(np.array([0.0 if value is None else value for value in values], dtype=np.float64), valid)


def as_queries(asked: Sequence[tuple[int, int]], as_known: bool = False) -> Queries:
    entity, time = np.array(asked, dtype=np.int64).reshape(-1, 2).T
    return Queries(entity, time, time if as_known else None)


def assert_agrees(
    found: Mapping[str, NDArray[np.float64]],
    history: Sequence[Happened],
    asked: Iterable[tuple[int, int]],
    group: FeatureGroup = GROUP,
    as_known: bool = False,
) -> None:
    """Every value found is the judge's."""
    assert list(found) == [feature.name for feature in group.features]
    for row, (entity, time) in enumerate(asked):
        for feature in group.features:
            expected = naive_value(feature, history, entity, time, as_known)
            window = naive_window(feature, history, entity, time, as_known)
            actual = float(found[feature.name][row])
            where = f"{feature.name} of {entity} at {time}: {actual!r}, the judge says {expected!r}"
            if expected is None:
                assert math.isnan(actual), where
            else:
                assert abs(actual - expected) <= _tolerance(feature, expected, window), where


def _tolerance(feature: Feature, expected: float, window: Sequence[Happened]) -> float:
    """Beside the relative part, room for what cancels, as a share of what is in the window."""
    if feature.function not in (Function.SUM, Function.MEAN, Function.STD):
        return 0.0
    scale = math.sqrt(math.fsum((event.values["amount"] or 0.0) ** 2 for event in window))
    return 1e-9 * abs(expected) + (1e-13 if feature.function is Function.STD else 1e-28) * scale
