"""States and times into feature values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from feature_store.definitions import Function
from feature_store.double_double import Floats
from feature_store.events import Features, Ints
from feature_store.tiles.distinct import count_distinct, distinct_rows
from feature_store.tiles.layout import LATEST, LEVELS, Layout, Series, level
from feature_store.tiles.quantiles import Ranked, value_rows
from feature_store.tiles.recent import Recent
from feature_store.tiles.rows import LIFETIME_LEVEL, add_tiles, empty_tiles, tile_rows
from feature_store.tiles.state import Status, decode
from feature_store.tiles.table import Rows, Table
from feature_store.tiles.values import tile_values
from feature_store.windows import micros, tail


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
    moment = _Moment.of(layout, decoded.tables, past, times)
    status = decoded.status.copy()
    if layout.group.stale_after is not None:
        old = times - decoded.time > micros(layout.group.stale_after)
        status[old & (status == Status.OK)] = Status.STALE
    features: Features = {}
    for one in layout.series:
        values = moment.values(layout, one)
        features |= {name: values[:, position].copy() for position, name in one.names.items()}
    for number in np.nonzero((status == Status.UNREADABLE) | (status == Status.OTHER_FINGERPRINT))[0]:
        for column in features.values():
            column[number] = np.nan
    ordered = {feature.name: features[feature.name] for feature in layout.group.features}
    return Merged(ordered, status, decoded.version, decoded.time)


@dataclass(frozen=True)
class _Moment:
    """All that states hold, as of the times asked for; ``tails`` has shape (entities, windows)."""

    tails: Ints
    windows: Rows
    recent: Recent
    distinct: Table
    ranked: Ranked

    @classmethod
    def of(cls, layout: Layout, tables: Mapping[str, Table], past: Table, times: Ints) -> Self:
        tails = np.stack([tail(times, window) for window in layout.windows], axis=1)
        return cls(
            tails=tails,
            windows=_windows(layout, tables["tiles"], past, tails),
            recent=Recent.of(layout, tables["recent"], past, times, tails),
            distinct=tables["distinct"].join(distinct_rows(layout, past.owner, past.rows)),
            ranked=Ranked.of(tables, value_rows(layout, past.owner, past.rows)),
        )

    def values(self, layout: Layout, series: Series) -> Floats:
        """Shape (entities, windows)."""
        if series.function in LATEST:
            return self.recent.values(layout, series)
        match series.function, series.argument:
            case Function.COUNT_DISTINCT, _:
                return count_distinct(layout, self.distinct, layout.hashes.index(series.reading), self.tails)
            case Function.QUANTILE, float(share):
                return self.ranked.quantiles(layout, layout.ranked.index(series.reading), share, self.tails)
        return tile_values(layout, series, self.windows)


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
