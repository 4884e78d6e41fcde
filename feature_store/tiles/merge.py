"""States and times into feature values."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from feature_store.definitions import LIFETIME
from feature_store.events import Features, Ints
from feature_store.tiles.layout import LATEST, Layout, level
from feature_store.tiles.recent import Recent
from feature_store.tiles.rows import Rows, add_tiles, empty_tiles, tile_rows
from feature_store.tiles.state import States, Status, Table, decode
from feature_store.tiles.values import tile_value
from feature_store.windows import first_tile, micros, tail


@dataclass(frozen=True)
class Merged:
    """Feature values and how far to rely on them, one a state; ``applied_time`` is 0 where there is no state."""

    features: Features
    status: Ints
    applied_version: Ints
    applied_time: Ints


def merge(layout: Layout, states: Sequence[bytes | None], times: Ints) -> Merged:
    """The features of each entity at its time.

    Exact for a time no earlier than ``MARGIN`` before the state's applied time, but for events that arrive later.
    Bytes that are no state of this definition give no values, and a status that says why.
    """
    decoded = decode(layout, states)
    past = decoded.tables["events"]
    past = past.take(past.rows["time"] < times[past.owner])
    windows = _windows(layout, decoded, past, times)
    recent = Recent.of(layout, decoded.tables["recent"], past, times)
    status = decoded.status.copy()
    if layout.group.stale_after is not None:
        old = times - decoded.time > micros(layout.group.stale_after)
        status[old & (status == Status.OK)] = Status.STALE
    nothing = (status == Status.UNREADABLE) | (status == Status.OTHER_FINGERPRINT)
    features: Features = {}
    for feature in layout.group.features:
        if feature.function in LATEST:
            values = recent.value(layout, feature, times)
        else:
            values = tile_value(layout, feature, windows[:, layout.windows.index(feature.window)])
        features[feature.name] = np.where(nothing, np.nan, values)
    return Merged(features, status, decoded.version, decoded.time)


def _windows(layout: Layout, states: States, past: Table, times: Ints) -> Rows:
    """For each entity and window, all of it as one tile: shape (entities, windows)."""
    tiles = states.tables["tiles"]
    keys, parts = [], []
    for position, window in enumerate(layout.windows):
        covered = tiles.rows["level"] == level(window)
        since = np.ones(len(past.owner), dtype=np.bool_)
        if window != LIFETIME:
            covered &= tiles.rows["index"] >= first_tile(times, window)[tiles.owner]
            since = past.rows["time"] >= tail(times, window)[past.owner]
        keys += [
            tiles.owner[covered] * len(layout.windows) + position,
            past.owner[since] * len(layout.windows) + position,
        ]
        parts += [tiles.rows[covered], tile_rows(layout, past.rows[since], level(window))]
    found, rows = add_tiles(layout, np.concatenate(keys), np.concatenate(parts))
    result = empty_tiles(layout, len(times) * len(layout.windows))
    result[found] = rows
    return result.reshape(len(times), len(layout.windows))
