"""For each entity and window all of it as one tile: tiles, and the events that no tile holds yet, in one pass.

NaN is no value: it adds nothing, is no minimum or maximum, and comes neither first nor last.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from feature_store.double_double import Floats
from feature_store.events import Ints
from feature_store.readings import Reading
from feature_store.tiles.compiled import EventColumns, compiled, fresh, normal, square, two_sum
from feature_store.tiles.layout import LEVELS, Layout, level
from feature_store.tiles.rows import LIFETIME_LEVEL
from feature_store.tiles.table import Table
from feature_store.windows import NEVER, micros

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

    ``level`` and ``length`` are those of the tiles of each window.
    """

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
        return cls(
            np.array(levels, dtype=np.int64),
            np.array(lengths, dtype=np.int64),
            np.array([layout.readings.index(reading) for reading in layout.counted], dtype=np.int64),
            *(numbers(some) for some in (layout.summed, layout.squared, layout.lowest, layout.highest, layout.first)),
        )


def window_totals(slots: Slots, tiles: Table, events: EventColumns, times: Ints, tails: Ints) -> Totals:
    """``tails`` has shape (entities, windows), ``times`` is when each entity is asked about."""
    totals = _empty(slots, tails.shape)
    columns = Totals(*(fresh(tiles.rows[name]) for name in Totals._fields))
    _add_tiles(totals, slots, tails, tiles.owner, fresh(tiles.rows["level"]), fresh(tiles.rows["index"]), columns)
    _add_events(totals, slots, tails, times, events)
    return totals


def _empty(slots: Slots, shape: tuple[int, ...]) -> Totals:
    sums = len(slots.summed) + len(slots.squared)
    first = (*shape, len(slots.first))
    return Totals(
        counts=np.zeros((*shape, len(slots.counted)), dtype=np.int64),
        high=np.zeros((*shape, sums)),
        low=np.zeros((*shape, sums)),
        min=np.full((*shape, len(slots.lowest)), np.nan),
        max=np.full((*shape, len(slots.highest)), np.nan),
        first_time=np.full(first, NEVER),
        first_tie=np.full(first, NO_TIE),
        first_value=np.full(first, np.nan),
    )


@compiled
def _add_tiles(  # noqa: PLR0913, PLR0917 - where and what
    totals: Totals,
    slots: Slots,
    tails: Ints,
    owners: Ints,
    levels: NDArray[np.uint8],
    indices: NDArray[np.int32],
    tiles: Totals,
) -> None:
    for row in range(len(owners)):
        entity = owners[row]
        for window in range(tails.shape[1]):
            start = np.int64(indices[row]) * slots.length[window]
            if levels[row] != slots.level[window] or start < tails[entity, window]:
                continue
            for slot in range(tiles.counts.shape[1]):
                totals.counts[entity, window, slot] += tiles.counts[row, slot]
            for slot in range(tiles.high.shape[1]):
                _add_sum(totals, entity, window, slot, tiles.high[row, slot], tiles.low[row, slot])
            for slot in range(tiles.min.shape[1]):
                _lower(totals, entity, window, slot, tiles.min[row, slot])
            for slot in range(tiles.max.shape[1]):
                _raise(totals, entity, window, slot, tiles.max[row, slot])
            for slot in range(tiles.first_time.shape[1]):
                at, tie = tiles.first_time[row, slot], tiles.first_tie[row, slot]
                _be_first(totals, entity, window, slot, at, tie, tiles.first_value[row, slot])


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
