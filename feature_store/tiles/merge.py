"""States and times into feature values."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from feature_store.definitions import Function
from feature_store.double_double import Floats
from feature_store.events import Features, Ints
from feature_store.tiles.cardinality import distinct_counts, hash_readings
from feature_store.tiles.compiled import EventColumns
from feature_store.tiles.latest import Latest, LatestSlots
from feature_store.tiles.layout import LATEST, Layout, Series
from feature_store.tiles.quantiles import Ranked, value_rows
from feature_store.tiles.state import States, Status, decode
from feature_store.tiles.values import tile_values
from feature_store.tiles.windowed import Slots, Totals, window_totals
from feature_store.windows import micros, tail


@dataclass(frozen=True)
class Merged:
    """Feature values and how far to rely on them, one a state; ``applied_time`` is 0 where there is no state."""

    features: Features
    status: Ints
    applied_version: Ints
    applied_time: Ints


@dataclass(frozen=True)
class Plan:
    """What the compiled loops need to know of a definition; build once for each group and keep."""

    layout: Layout
    slots: Slots
    latest: LatestSlots
    hashed: Ints

    @classmethod
    def of(cls, layout: Layout) -> Self:
        return cls(layout, Slots.of(layout), LatestSlots.of(layout), hash_readings(layout))


def merge(plan: Plan, states: Sequence[bytes | None], times: Ints) -> Merged:
    """The features of each entity at its time.

    Exact for a time no earlier than ``MARGIN`` before the state's applied time, but for events that arrive later.
    Bytes that are no state of this definition give no values, and a status that says why.
    """
    group = plan.layout.group
    decoded = decode(plan.layout, states)
    moment = _Moment.of(plan, decoded, times)
    status = decoded.status.copy()
    if group.stale_after is not None:
        old = times - decoded.time > micros(group.stale_after)
        status[old & (status == Status.OK)] = Status.STALE
    features: Features = {}
    for one in plan.layout.series:
        values = moment.values(plan.layout, one)
        features |= {name: values[:, position].copy() for position, name in one.names.items()}
    wrong = (status == Status.UNREADABLE) | (status == Status.OTHER_FINGERPRINT)
    if wrong.any():
        for column in features.values():
            column[wrong] = np.nan
    ordered = {feature.name: features[feature.name] for feature in group.features}
    return Merged(ordered, status, decoded.version, decoded.time)


@dataclass(frozen=True)
class _Moment:
    """All that states hold, as of the times asked for; ``tails`` has shape (entities, windows).

    What no feature reads is None.
    """

    tails: Ints
    windows: Totals
    latest: Latest | None
    distinct: Floats | None
    ranked: Ranked | None

    @classmethod
    def of(cls, plan: Plan, states: States, times: Ints) -> Self:
        layout, tables = plan.layout, states.tables
        tails = np.stack([tail(times, window) for window in layout.windows], axis=1)
        events = EventColumns.of(tables["events"])
        return cls(
            tails=tails,
            windows=window_totals(plan.slots, tables["tiles"], events, times, tails),
            latest=Latest.of(plan.latest, tables["recent"], events, times, tails) if layout.latest else None,
            distinct=distinct_counts(plan.hashed, tables["distinct"], events, times, tails) if layout.hashes else None,
            ranked=_ranked(layout, states, times) if layout.ranked else None,
        )

    def values(self, layout: Layout, series: Series) -> Floats:
        """Shape (entities, windows)."""
        if self.latest and series.function in LATEST:
            return self.latest.values(layout, series)
        match series.function, series.argument:
            case Function.COUNT_DISTINCT, _ if self.distinct is not None:
                counts: Floats = self.distinct[layout.hashes.index(series.reading)]
                return counts
            case Function.QUANTILE, float(share) if self.ranked:
                return self.ranked.quantiles(layout, layout.ranked.index(series.reading), share, self.tails)
        return tile_values(layout, series, self.windows)


def _ranked(layout: Layout, states: States, times: Ints) -> Ranked:
    past = states.tables["events"]
    past = past.take(past.rows["time"] < times[past.owner])
    return Ranked.of(states.tables, value_rows(layout, past.owner, past.rows))
