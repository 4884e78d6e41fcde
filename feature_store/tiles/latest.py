"""The latest events of each entity as of a time: what last, last_k and the time since the last are read from."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from feature_store.columns.double_double import Floats
from feature_store.columns.events import Ints
from feature_store.definitions.windows import EVER
from feature_store.tiles.compiled import EventColumns, compiled
from feature_store.tiles.layout import Layout

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


class Kept(NamedTuple):
    """The latest events, the latest first: (entities, slots, k)."""

    at: Ints
    tie: NDArray[np.uint64]
    value: Floats


class Recent(NamedTuple):
    """The latest events that states hold."""

    owner: Ints
    slot: NDArray[np.uint8]
    time: Ints
    tie: NDArray[np.uint64]
    value: Floats


@compiled
def latest_events(slots: LatestSlots, recent: Recent, events: EventColumns, times: Ints) -> Kept:
    """Those before ``times``, the time of each entity's request."""
    most = 0
    for number in slots.most:
        most = max(most, number)
    shape = (len(times), len(slots.most), most)
    kept = Kept(np.full(shape, EVER), np.zeros(shape, dtype=np.uint64), np.full(shape, np.nan))
    _keep_recent(kept, slots, times, recent)
    _keep_events(kept, slots, times, events)
    return kept


@compiled
def _keep_recent(kept: Kept, slots: LatestSlots, times: Ints, recent: Recent) -> None:
    for row in range(len(recent.owner)):
        entity, at = recent.owner[row], recent.time[row]
        if at < times[entity]:
            _keep(kept, slots, entity, recent.slot[row], at, recent.tie[row], recent.value[row])


@compiled
def _keep_events(kept: Kept, slots: LatestSlots, times: Ints, events: EventColumns) -> None:
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
    kept: Kept, slots: LatestSlots, entity: int, slot: int, at: int, tie: int, value: float
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
