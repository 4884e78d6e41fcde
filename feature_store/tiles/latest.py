"""The latest events of each entity as of a time, and the features that read them: last, last_k, time since last."""

from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from feature_store.definitions import Function
from feature_store.double_double import Floats
from feature_store.events import Ints
from feature_store.tiles.compiled import EventColumns, compiled, fresh
from feature_store.tiles.layout import Layout, Series
from feature_store.tiles.table import Table
from feature_store.windows import EVER

SECOND = 1_000_000
NO_NUMBER = -1


class LatestSlots(NamedTuple):
    """What each slot is of: a reading, which of the numbers it is (or none), and how many events are kept."""

    reading: Ints
    number: Ints
    most: Ints

    @classmethod
    def of(cls, layout: Layout) -> "LatestSlots":
        numbers = [layout.numbers.index(one) if one in layout.numbers else NO_NUMBER for one in layout.latest]
        return cls(
            np.array([layout.readings.index(reading) for reading in layout.latest], dtype=np.int64),
            np.array(numbers, dtype=np.int64),
            np.array(list(layout.latest.values()), dtype=np.int64),
        )


class _Kept(NamedTuple):
    """The latest events, the latest first: (entities, slots, k)."""

    at: Ints
    tie: NDArray[np.uint64]
    value: Floats


@dataclass(frozen=True)
class Latest:
    """The latest events before ``times``, the time of each entity's request; ``tails``: (entities, windows)."""

    kept: _Kept
    times: Ints
    tails: Ints

    @classmethod
    def of(cls, slots: LatestSlots, recent: Table, events: EventColumns, times: Ints, tails: Ints) -> Self:
        shape = (len(times), len(slots.most), int(slots.most.max()))
        kept = _Kept(np.full(shape, EVER), np.zeros(shape, dtype=np.uint64), np.full(shape, np.nan))
        slot, at, tie, value = (fresh(recent.rows[name]) for name in ("slot", "time", "tie", "value"))
        _keep_recent(kept, slots, times, recent.owner, slot, at, tie, value)
        _keep_events(kept, slots, times, events)
        return cls(kept, times, tails)

    def values(self, layout: Layout, series: Series) -> Floats:
        """Shape (entities, windows)."""
        slot = list(layout.latest).index(series.reading)
        rank = series.argument - 1 if isinstance(series.argument, int) else 0
        at, value = self.kept.at[:, slot, rank], self.kept.value[:, slot, rank]
        if series.function is Function.TIME_SINCE_LAST:
            value = (self.times - at) / SECOND
        covered = (at >= self.tails.T) & (at != EVER)
        return np.where(covered, value, np.nan).T


@compiled
def _keep_recent(  # noqa: PLR0913, PLR0917 - columns
    kept: _Kept,
    slots: LatestSlots,
    times: Ints,
    owners: Ints,
    of_slot: NDArray[np.uint8],
    at: Ints,
    tie: NDArray[np.uint64],
    value: Floats,
) -> None:
    for row in range(len(owners)):
        if at[row] < times[owners[row]]:
            _keep(kept, slots, owners[row], of_slot[row], at[row], tie[row], value[row])


@compiled
def _keep_events(kept: _Kept, slots: LatestSlots, times: Ints, events: EventColumns) -> None:
    for row in range(len(events.owner)):
        if events.time[row] >= times[events.owner[row]]:
            continue
        for slot in range(len(slots.reading)):
            if events.present[row, slots.reading[slot]]:
                number = slots.number[slot]
                value = 0.0 if number == NO_NUMBER else events.number[row, number]
                _keep(kept, slots, events.owner[row], slot, events.time[row], events.tie[row], value)


@compiled
def _keep(  # noqa: PLR0913, PLR0917 - an event
    kept: _Kept, slots: LatestSlots, entity: int, slot: int, at: int, tie: int, value: float
) -> None:
    """Put one event where it belongs among those kept, if it does."""
    rank = slots.most[slot]
    while rank > 0:
        before = kept.at[entity, slot, rank - 1]
        if before > at or (before == at and kept.tie[entity, slot, rank - 1] > tie):
            break
        rank -= 1
        if rank + 1 < slots.most[slot]:
            kept.at[entity, slot, rank + 1] = before
            kept.tie[entity, slot, rank + 1] = kept.tie[entity, slot, rank]
            kept.value[entity, slot, rank + 1] = kept.value[entity, slot, rank]
    if rank < slots.most[slot]:
        kept.at[entity, slot, rank] = at
        kept.tie[entity, slot, rank] = tie
        kept.value[entity, slot, rank] = value
