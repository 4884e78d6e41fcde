"""How many distinct values each entity has in each window, as of a time.

A state has each value once, with the time it was seen last, in the order of the values; before them, what HyperLogLog
keeps of the values of a time when there were more than ``MOST_EXACT`` (``distinct.py``, with the sources).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from feature_store.columns.double_double import Floats
from feature_store.columns.events import Ints, Mask
from feature_store.tiles.compiled import EventColumns, compiled
from feature_store.tiles.distinct import RANK_BITS, RANKS, REGISTERS, REST
from feature_store.tiles.layout import Layout

ESTIMATE_TERMS = 60


class Seen(NamedTuple):
    """Values, sorted by owner and slot."""

    owner: Ints
    slot: NDArray[np.uint8]
    reduced: Mask
    last: Ints
    key: NDArray[np.uint64]


def hash_readings(layout: Layout) -> Ints:
    """The reading of each slot, by number."""
    return np.array([layout.readings.index(reading) for reading in layout.hashes], dtype=np.int64)


@compiled
def distinct_counts(readings: Ints, seen: Seen, events: EventColumns, times: Ints, tails: Ints) -> Floats:
    """Shape (slots, entities, windows); ``tails`` has shape (entities, windows), ``readings`` those of the slots."""
    slots, entities = len(readings), len(times)
    counts = np.zeros((slots, entities, tails.shape[1]))
    end, past_end = 0, 0
    for entity in range(entities):
        past_begin = past_end
        while past_end < len(events.owner) and events.owner[past_end] == entity:
            past_end += 1
        past = np.arange(past_begin, past_end)
        past = past[events.time[past] < times[entity]]
        for slot in range(slots):
            found, begin = counts[slot, entity], end
            while end < len(seen.owner) and seen.owner[end] == entity and seen.slot[end] == slot:
                end += 1
            exact = begin
            while exact < end and seen.reduced[exact]:
                exact += 1
            present = past[events.present[:, readings[slot]][past]]
            _count_seen(found, seen, exact, end, tails[entity])
            _count_events(found, slot, seen, exact, end, events, present, tails[entity])
            if begin < exact:
                _estimate_crowds(found, slot, seen, begin, exact, end, events, present, tails[entity])
    return counts


@compiled
def _estimate_crowds(  # noqa: PLR0913, PLR0917 - columns
    counts: Floats,
    slot: int,
    seen: Seen,
    begin: int,
    exact: int,
    end: int,
    events: EventColumns,
    present: Ints,
    tails: Ints,
) -> None:
    """Put an estimate in place of the count of each window that has a reduced value, which lie before ``exact``."""
    for window in range(len(tails)):
        registers = np.zeros(REGISTERS, dtype=np.uint8)
        for row in range(begin, exact):
            if seen.last[row] >= tails[window]:
                _offer(registers, seen.key[row])
        if not registers.any():
            continue
        for row in range(exact, end):
            if seen.last[row] >= tails[window]:
                _offer(registers, _reduced(seen.key[row]))
        for row in present:
            if events.time[row] >= tails[window]:
                _offer(registers, _reduced(events.hash[row, slot]))
        counts[window] = _estimate(registers)


@compiled
def _count_seen(counts: Floats, seen: Seen, begin: int, end: int, tails: Ints) -> None:
    for row in range(begin, end):
        for window in range(len(tails)):
            counts[window] += seen.last[row] >= tails[window]


@compiled
def _count_events(  # noqa: PLR0913, PLR0917 - columns
    counts: Floats, slot: int, seen: Seen, begin: int, end: int, events: EventColumns, present: Ints, tails: Ints
) -> None:
    """Count the values of ``present`` events, each once, in the windows that the state did not see them in."""
    hashes = events.hash[:, slot][present]
    order = np.argsort(hashes)
    for position in range(len(order)):
        row = present[order[position]]
        key, last = events.hash[row, slot], events.time[row]
        if position and hashes[order[position - 1]] == key:
            continue
        following = position + 1
        while following < len(order) and hashes[order[following]] == key:
            last = max(last, events.time[present[order[following]]])
            following += 1
        found = begin + np.searchsorted(seen.key[begin:end], key)
        is_seen = found < end and seen.key[found] == key
        for window in range(len(tails)):
            if last >= tails[window] and not (is_seen and seen.last[found] >= tails[window]):
                counts[window] += 1


@compiled
def _reduced(value: np.uint64) -> np.uint64:
    """:func:`feature_store.tiles.distinct.reduce_hash` of one value."""
    rest, rank = value & REST, 1
    while rank <= RANK_BITS and rest >> np.uint64(RANK_BITS - rank) == 0:
        rank += 1
    return (value >> np.uint64(RANK_BITS)) * np.uint64(RANKS) + np.uint64(rank)


@compiled
def _offer(registers: NDArray[np.uint8], reduced: np.uint64) -> None:
    register, rank = reduced // np.uint64(RANKS), reduced % np.uint64(RANKS)
    registers[register] = max(registers[register], rank)


@compiled
def _estimate(registers: NDArray[np.uint8]) -> float:
    """HyperLogLog's estimate (Ertl 2017, algorithm 6), with his correction for the share x of empty registers.

    That is x + sum of x ** (2 ** k) * 2 ** (k - 1) over k >= 1.
    """
    filled, empty = 0.0, 0
    for rank in registers:
        if rank:
            filled += 2.0 ** -np.float64(rank)
        else:
            empty += 1
    if empty == REGISTERS:
        return 0.0
    x = empty / REGISTERS
    sigma, weight = x, 1.0
    for _ in range(ESTIMATE_TERMS):
        x *= x
        sigma += x * weight
        weight *= 2
    estimate: float = REGISTERS**2 / (2 * np.log(2) * (filled + REGISTERS * sigma))
    return estimate
