"""States and times into feature values."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from feature_store.definitions import LIFETIME
from feature_store.double_double import Floats
from feature_store.events import Features, Ints
from feature_store.tiles.layout import LATEST, LEVELS, Layout, Series, level
from feature_store.tiles.recent import Recent
from feature_store.tiles.rows import LIFETIME_LEVEL, Rows, add_tiles, empty_tiles, tile_rows
from feature_store.tiles.state import Status, Table, decode
from feature_store.tiles.values import tile_values
from feature_store.windows import micros, tail

EVER = np.iinfo(np.int64).min


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
    tails = _tails(layout, times)
    windows = _windows(layout, decoded.tables["tiles"], past, tails)
    recent = Recent.of(layout, decoded.tables["recent"], past, times, tails)
    status = decoded.status.copy()
    if layout.group.stale_after is not None:
        old = times - decoded.time > micros(layout.group.stale_after)
        status[old & (status == Status.OK)] = Status.STALE
    features = {name: values for one in layout.series for name, values in _features(layout, one, windows, recent)}
    for number in np.nonzero((status == Status.UNREADABLE) | (status == Status.OTHER_FINGERPRINT))[0]:
        for values in features.values():
            values[number] = np.nan
    features = {feature.name: features[feature.name] for feature in layout.group.features}
    return Merged(features, status, decoded.version, decoded.time)


def _features(layout: Layout, series: Series, windows: Rows, recent: Recent) -> Iterator[tuple[str, Floats]]:
    values = recent.values(layout, series) if series.function in LATEST else tile_values(layout, series, windows)
    for position, name in series.names.items():
        yield name, values[:, position].copy()


def _windows(layout: Layout, tiles: Table, past: Table, tails: Ints) -> Rows:
    """For each entity and window, all of it as one tile: shape (entities, windows)."""
    levels = np.array([level(window) for window in layout.windows])
    lengths = np.array([micros(LEVELS[one]) if one < LIFETIME_LEVEL else 1 for one in levels])
    in_tiles = tiles.rows["level"] == levels[:, None]
    in_tiles &= tiles.rows["index"] >= (tails // lengths)[tiles.owner].T
    in_past = past.rows["time"] >= tails[past.owner].T
    rows = np.concatenate([tiles.rows, tile_rows(layout, past.rows, 0)])
    window, row = np.nonzero(np.hstack([in_tiles, in_past]))
    owner = np.concatenate([tiles.owner, past.owner])[row]
    found, merged = add_tiles(layout, owner * len(levels) + window, rows[row])
    result = empty_tiles(layout, tails.size)
    result[found] = merged
    return result.reshape(tails.shape)


def _tails(layout: Layout, times: Ints) -> Ints:
    """Since when each window covers events, for each time: shape (times, windows)."""
    since = [np.full(len(times), EVER) if window == LIFETIME else tail(times, window) for window in layout.windows]
    return np.stack(since, axis=1)
