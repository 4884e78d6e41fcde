"""Rows of a state's tables, made of events and of each other."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_store.columns.double_double import square
from feature_store.columns.events import Events, Ints
from feature_store.columns.grouping import Groups, group_sums
from feature_store.definitions.windows import NEVER, tile_index
from feature_store.tiles.layout import LEVELS, Layout
from feature_store.tiles.table import Rows

LIFETIME_LEVEL = len(LEVELS) - 1


def event_rows(layout: Layout, events: Events) -> Rows:
    """Each event, reduced to what the group's features read of it; NaN where a number is null."""
    rows = np.zeros(len(events), dtype=layout.event)
    rows["time"], rows["tie"] = events.time, events.tie
    for position, reading in enumerate(layout.readings):
        column = reading.read(events)
        rows["present"][:, position] = column.valid
        if reading in layout.numbers:
            rows["number"][:, layout.numbers.index(reading)] = np.where(column.valid, column.values, np.nan)
        if reading in layout.hashes:
            rows["hash"][:, layout.hashes.index(reading)] = column.values
    return rows


def tile_rows(layout: Layout, events: Rows, level: int) -> Rows:
    """A tile of ``level`` for each event, with that event alone."""
    rows = np.zeros(len(events), dtype=layout.tile)
    rows["level"] = level
    rows["index"] = 0 if level == LIFETIME_LEVEL else tile_index(events["time"], LEVELS[level])
    rows["counts"] = events["present"][:, [layout.readings.index(reading) for reading in layout.counted]]
    sums = np.nan_to_num(_numbers(layout, events, layout.summed))
    squares, lost = square(np.nan_to_num(_numbers(layout, events, layout.squared)))
    rows["high"] = np.hstack([sums, squares])
    rows["low"] = np.hstack([np.zeros_like(sums), lost])
    rows["min"] = _numbers(layout, events, layout.lowest)
    rows["max"] = _numbers(layout, events, layout.highest)
    first = _numbers(layout, events, layout.first)
    rows["first_value"] = first
    rows["first_time"] = np.where(np.isnan(first), NEVER, events["time"][:, None])
    rows["first_tie"] = events["tie"][:, None]
    return rows


def add_tiles(layout: Layout, key: Ints, tiles: Rows) -> tuple[Ints, Rows]:
    """The tiles of each key as one; keys ascend."""
    groups = Groups.of(key)
    ordered = tiles[groups.order]
    result = ordered[groups.starts]
    result["counts"] = groups.reduce(np.add, ordered["counts"])
    result["high"], result["low"] = group_sums(groups, ordered["high"], ordered["low"])
    result["min"] = groups.reduce(np.fmin, ordered["min"])
    result["max"] = groups.reduce(np.fmax, ordered["max"])
    group = np.repeat(np.arange(len(groups.starts)), groups.sizes)
    for slot in range(len(layout.first)):
        earliest = np.lexsort((ordered["first_tie"][:, slot], ordered["first_time"][:, slot], group))[groups.starts]
        for field in ("first_time", "first_tie", "first_value"):
            result[field][:, slot] = ordered[field][earliest, slot]
    return groups.keys, result


def _numbers(layout: Layout, events: Rows, readings: tuple[Any, ...]) -> NDArray[np.float64]:
    numbers: NDArray[np.float64] = events["number"][:, [layout.numbers.index(reading) for reading in readings]]
    return numbers
