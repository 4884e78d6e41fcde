"""For each entity and window all of it as one tile: tiles, and the events that no tile holds yet, in one pass.

NaN is no value: it adds nothing, is no minimum or maximum, and comes neither first nor last.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from feature_store.columns.double_double import Floats
from feature_store.columns.events import Ints
from feature_store.columns.readings import Reading
from feature_store.definitions.windows import EVER, LIFETIME, NEVER, micros
from feature_store.tiles.compiled import EventColumns, compiled, covered_since, normal, square, two_sum
from feature_store.tiles.layout import LEVELS, Layout, level
from feature_store.tiles.rows import LIFETIME_LEVEL
from feature_store.tiles.table import Table

NO_TIE = np.uint64((1 << 64) - 1)
"""After every other."""


class Totals(NamedTuple):
    """The fields of a tile: (rows, slots) of tiles, (entities, windows, slots) of windows."""

    counts: Ints
    high: Floats
    low: Floats
    min: Floats
    max: Floats
    first_time: Ints
    first_tie: NDArray[np.uint64]
    first_value: Floats


class Slots(NamedTuple):
    """What the slots of a tile's fields are of: readings by number for ``counted``, else the numbers of events.

    ``window`` is how far each window reaches, ``level`` and ``length`` are those of its tiles.
    """

    window: Ints
    level: Ints
    length: Ints
    counted: Ints
    summed: Ints
    squared: Ints
    lowest: Ints
    highest: Ints
    first: Ints

    @classmethod
    def of(cls, layout: Layout) -> "Slots":
        def numbers(readings: Sequence[Reading]) -> Ints:
            return np.array([layout.numbers.index(reading) for reading in readings], dtype=np.int64)

        levels = [level(window) for window in layout.windows]
        lengths = [micros(LEVELS[one]) if one < LIFETIME_LEVEL else 1 for one in levels]
        windows = [micros(window) if window != LIFETIME else 0 for window in layout.windows]
        return cls(
            np.array(windows, dtype=np.int64),
            np.array(levels, dtype=np.int64),
            np.array(lengths, dtype=np.int64),
            np.array([layout.readings.index(reading) for reading in layout.counted], dtype=np.int64),
            *(numbers(some) for some in (layout.summed, layout.squared, layout.lowest, layout.highest, layout.first)),
        )


class TileColumns(NamedTuple):
    """The tiles of all entities; ``tile`` is the index of each among those of its level."""

    owner: Ints
    level: NDArray[np.uint8]
    tile: NDArray[np.int32]
    totals: Totals

    @classmethod
    def of(cls, tiles: Table) -> "TileColumns":
        columns = tiles.columns
        return cls(tiles.owner, columns["level"], columns["index"], Totals(*(columns[one] for one in Totals._fields)))


@compiled
def window_tails(slots: Slots, times: Ints) -> Ints:
    """Since when each window covers events: shape (entities, windows)."""
    tails = np.full((len(times), len(slots.level)), EVER)
    for entity in range(len(times)):
        for window in range(len(slots.level)):
            if slots.level[window] != LIFETIME_LEVEL:
                tails[entity, window] = covered_since(times[entity], slots.window[window], slots.length[window])
    return tails


@compiled
def window_totals(slots: Slots, tiles: TileColumns, events: EventColumns, times: Ints, tails: Ints) -> Totals:
    """``tails`` has shape (entities, windows), ``times`` is when each entity is asked about."""
    totals = _empty(slots, tails.shape[0], tails.shape[1])
    _add_tiles(totals, slots, tails, tiles)
    _add_events(totals, slots, tails, times, events)
    return totals


@compiled
def _empty(slots: Slots, entities: int, windows: int) -> Totals:
    sums = (entities, windows, len(slots.summed) + len(slots.squared))
    first = (entities, windows, len(slots.first))
    return Totals(
        np.zeros((entities, windows, len(slots.counted)), dtype=np.int64),
        np.zeros(sums),
        np.zeros(sums),
        np.full((entities, windows, len(slots.lowest)), np.nan),
        np.full((entities, windows, len(slots.highest)), np.nan),
        np.full(first, NEVER),
        np.full(first, NO_TIE),
        np.full(first, np.nan),
    )


@compiled
def _add_tiles(totals: Totals, slots: Slots, tails: Ints, tiles: TileColumns) -> None:
    more = tiles.totals
    for row in range(len(tiles.owner)):
        entity = tiles.owner[row]
        for window in range(tails.shape[1]):
            start = np.int64(tiles.tile[row]) * slots.length[window]
            if tiles.level[row] != slots.level[window] or start < tails[entity, window]:
                continue
            for slot in range(more.counts.shape[1]):
                totals.counts[entity, window, slot] += more.counts[row, slot]
            for slot in range(more.high.shape[1]):
                _add_sum(totals, entity, window, slot, more.high[row, slot], more.low[row, slot])
            for slot in range(more.min.shape[1]):
                _lower(totals, entity, window, slot, more.min[row, slot])
            for slot in range(more.max.shape[1]):
                _raise(totals, entity, window, slot, more.max[row, slot])
            for slot in range(more.first_time.shape[1]):
                at, tie = more.first_time[row, slot], more.first_tie[row, slot]
                _be_first(totals, entity, window, slot, at, tie, more.first_value[row, slot])


@compiled
def _add_events(totals: Totals, slots: Slots, tails: Ints, times: Ints, events: EventColumns) -> None:
    for row in range(len(events.owner)):
        entity = events.owner[row]
        for window in range(tails.shape[1]):
            if tails[entity, window] <= events.time[row] < times[entity]:
                _add_event(totals, slots, entity, window, events, row)


@compiled
def _add_event(  # noqa: PLR0913, PLR0917 - where and what
    totals: Totals, slots: Slots, entity: int, window: int, events: EventColumns, row: int
) -> None:
    for slot in range(len(slots.counted)):
        totals.counts[entity, window, slot] += events.present[row, slots.counted[slot]]
    for slot in range(len(slots.summed)):
        _add_sum(totals, entity, window, slot, events.number[row, slots.summed[slot]], 0.0)
    for slot in range(len(slots.squared)):
        high, low = square(events.number[row, slots.squared[slot]])
        _add_sum(totals, entity, window, len(slots.summed) + slot, high, low)
    for slot in range(len(slots.lowest)):
        _lower(totals, entity, window, slot, events.number[row, slots.lowest[slot]])
    for slot in range(len(slots.highest)):
        _raise(totals, entity, window, slot, events.number[row, slots.highest[slot]])
    for slot in range(len(slots.first)):
        value = events.number[row, slots.first[slot]]
        _be_first(totals, entity, window, slot, events.time[row], events.tie[row], value)


@compiled
def _add_sum(  # noqa: PLR0913, PLR0917 - where and what
    totals: Totals, entity: int, window: int, slot: int, high: float, low: float
) -> None:
    if np.isnan(high):
        return
    total, lost = two_sum(totals.high[entity, window, slot], high)
    total, lost = normal(total, lost + (totals.low[entity, window, slot] + low))
    totals.high[entity, window, slot] = total
    totals.low[entity, window, slot] = lost


@compiled
def _lower(totals: Totals, entity: int, window: int, slot: int, value: float) -> None:
    least = totals.min[entity, window, slot]
    if np.isnan(least) or value < least:
        totals.min[entity, window, slot] = value


@compiled
def _raise(totals: Totals, entity: int, window: int, slot: int, value: float) -> None:
    most = totals.max[entity, window, slot]
    if np.isnan(most) or value > most:
        totals.max[entity, window, slot] = value


@compiled
def _be_first(  # noqa: PLR0913, PLR0917 - where and what
    totals: Totals, entity: int, window: int, slot: int, at: int, tie: int, value: float
) -> None:
    if np.isnan(value):
        return
    earliest, earliest_tie = totals.first_time[entity, window, slot], totals.first_tie[entity, window, slot]
    if at < earliest or (at == earliest and tie < earliest_tie):
        totals.first_time[entity, window, slot] = at
        totals.first_tie[entity, window, slot] = tie
        totals.first_value[entity, window, slot] = value
