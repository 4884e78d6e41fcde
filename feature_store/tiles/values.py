"""Feature values as of the times asked for: one compiled pass over all that states hold."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from feature_store.columns.double_double import Floats, sum_of_squared_deviations
from feature_store.columns.events import Ints
from feature_store.columns.readings import Reading
from feature_store.definitions import Feature, Function
from feature_store.definitions.windows import EVER
from feature_store.tiles.cardinality import Seen, distinct_counts, hash_readings
from feature_store.tiles.compiled import EventColumns, compiled
from feature_store.tiles.latest import Kept, LatestSlots, Recent, latest_events
from feature_store.tiles.layout import COUNTED, LATEST, SUMMED, Layout
from feature_store.tiles.table import Table
from feature_store.tiles.windowed import Slots, TileColumns, Totals, window_tails, window_totals

COUNT, SUM, MEAN, MIN, MAX, FIRST, LAST, SINCE_LAST, DISTINCT, ELSEWHERE = range(10)
CODES: Mapping[Function, int] = {
    Function.COUNT: COUNT,
    Function.COUNT_CATEGORY: COUNT,
    Function.SUM: SUM,
    Function.MEAN: MEAN,
    Function.MIN: MIN,
    Function.MAX: MAX,
    Function.FIRST: FIRST,
    Function.LAST: LAST,
    Function.LAST_K: LAST,
    Function.TIME_SINCE_LAST: SINCE_LAST,
    Function.COUNT_DISTINCT: DISTINCT,
    Function.STD: ELSEWHERE,
    Function.QUANTILE: ELSEWHERE,
}
SECOND = 1_000_000
NO_SLOT = -1


class Reads(NamedTuple):
    """What each feature is: a function of a slot over a window, each by number; ``rank`` is which of the latest.

    ``counted`` and ``squared`` are the slots of the counts and squares that belong to a slot of sums; ``spread`` are
    the features that are standard deviations.
    """

    function: Ints
    window: Ints
    slot: Ints
    rank: Ints
    counted: Ints
    squared: Ints
    spread: Ints

    @classmethod
    def of(cls, layout: Layout) -> "Reads":
        features = layout.group.features
        rows = [_reads(layout, feature, Reading.of(feature)) for feature in features]
        spread = [number for number, feature in enumerate(features) if feature.function is Function.STD]
        function, window, slot, rank, counted, squared = np.array(rows, dtype=np.int64).T.copy()
        return cls(function, window, slot, rank, counted, squared, np.array(spread, dtype=np.int64))


def _reads(layout: Layout, feature: Feature, reading: Reading) -> tuple[int, ...]:
    slots: Mapping[Function, Sequence[Reading]] = {
        **dict.fromkeys(COUNTED, layout.counted),
        **dict.fromkeys(SUMMED, layout.summed),
        **dict.fromkeys(LATEST, tuple(layout.latest)),
        Function.MIN: layout.lowest,
        Function.MAX: layout.highest,
        Function.FIRST: layout.first,
        Function.COUNT_DISTINCT: layout.hashes,
        Function.QUANTILE: layout.ranked,
    }
    return (
        CODES[feature.function],
        layout.windows.index(feature.window),
        slots[feature.function].index(reading),
        feature.argument - 1 if isinstance(feature.argument, int) and feature.function in LATEST else 0,
        layout.counted.index(reading) if reading in layout.counted else NO_SLOT,
        len(layout.summed) + layout.squared.index(reading) if reading in layout.squared else NO_SLOT,
    )


class Loops(NamedTuple):
    """What the compiled loops need to know of a definition."""

    slots: Slots
    latest: LatestSlots
    hashed: Ints
    reads: Reads

    @classmethod
    def of(cls, layout: Layout) -> "Loops":
        return cls(Slots.of(layout), LatestSlots.of(layout), hash_readings(layout), Reads.of(layout))


class Held(NamedTuple):
    """What states hold."""

    tiles: TileColumns
    events: EventColumns
    recent: Recent
    seen: Seen

    @classmethod
    def of(cls, tables: Mapping[str, Table]) -> "Held":
        recent, seen = tables["recent"], tables["distinct"]
        return cls(
            TileColumns.of(tables["tiles"]),
            EventColumns.of(tables["events"]),
            Recent(recent.owner, **recent.columns),
            Seen(seen.owner, **seen.columns),
        )


def feature_values(loops: Loops, held: Held, times: Ints) -> Floats:
    """Shape (features, entities), in the group's order; NaN where there is no value, and for quantiles."""
    values, parts = _values(loops, held, times)
    if len(loops.reads.spread):
        values[loops.reads.spread] = _std(parts)
    return values


def _std(parts: Floats) -> Floats:
    count = parts[0].astype(np.int64)
    deviations = sum_of_squared_deviations(np.maximum(count, 1), (parts[1], parts[2]), (parts[3], parts[4]))
    result: Floats = np.full(deviations.shape, np.nan)
    np.divide(deviations, count - 1, out=result, where=count > 1)
    return np.sqrt(result)


@compiled
def _values(loops: Loops, held: Held, times: Ints) -> tuple[Floats, Floats]:
    tails = window_tails(loops.slots, times)
    totals = window_totals(loops.slots, held.tiles, held.events, times, tails)
    kept = latest_events(loops.latest, held.recent, held.events, times)
    counts = distinct_counts(loops.hashed, held.seen, held.events, times, tails)
    reads = loops.reads
    values = np.empty((len(reads.function), len(times)))
    for number in range(len(values)):
        function, window, slot = reads.function[number], reads.window[number], reads.slot[number]
        for entity in range(len(times)):
            if function == DISTINCT:
                values[number, entity] = counts[slot, entity, window]
            elif function in (LAST, SINCE_LAST):
                at, rank = tails[entity, window], reads.rank[number]
                values[number, entity] = _latest(kept, function, entity, slot, rank, at, times[entity])
            else:
                values[number, entity] = _total(totals, function, entity, window, slot, reads.counted[number])
    return values, _parts(totals, reads)


@compiled
def _total(  # noqa: PLR0913, PLR0917 - where and what
    totals: Totals, function: int, entity: int, window: int, slot: int, counted: int
) -> float:
    value = np.nan
    if function == COUNT:
        value = np.float64(totals.counts[entity, window, slot])
    elif function == SUM:
        value = totals.high[entity, window, slot]
    elif function == MEAN and totals.counts[entity, window, counted]:
        value = totals.high[entity, window, slot] / totals.counts[entity, window, counted]
    elif function == MIN:
        value = totals.min[entity, window, slot]
    elif function == MAX:
        value = totals.max[entity, window, slot]
    elif function == FIRST:
        value = totals.first_value[entity, window, slot]
    return value


@compiled
def _latest(  # noqa: PLR0913, PLR0917 - where and what
    kept: Kept, function: int, entity: int, slot: int, rank: int, tail: int, time: int
) -> float:
    at, value = kept.at[entity, slot, rank], np.nan
    if at >= tail and at != EVER:
        value = (time - at) / SECOND if function == SINCE_LAST else kept.value[entity, slot, rank]
    return value


@compiled
def _parts(totals: Totals, reads: Reads) -> Floats:
    """What standard deviations are made of: shape (5, deviations, entities)."""
    parts = np.empty((5, len(reads.spread), len(totals.counts)))
    for row in range(len(reads.spread)):
        number = reads.spread[row]
        window, slot, squared = reads.window[number], reads.slot[number], reads.squared[number]
        for entity in range(len(totals.counts)):
            parts[0, row, entity] = totals.counts[entity, window, reads.counted[number]]
            parts[1, row, entity] = totals.high[entity, window, slot]
            parts[2, row, entity] = totals.low[entity, window, slot]
            parts[3, row, entity] = totals.high[entity, window, squared]
            parts[4, row, entity] = totals.low[entity, window, squared]
    return parts
