"""Events in order, and where a time falls among those of an entity."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np

from feature_store.columns.events import Events, Ints

PIECE = 1 << 17


@dataclass(frozen=True)
class Timeline:
    """Events sorted by entity, time and tie-breaker.

    ``starts[e]`` to ``starts[e + 1]`` are those of entity ``first + e``.
    """

    events: Events
    first: int
    starts: Ints

    @classmethod
    def of(cls, ordered: Events) -> Self:
        if not len(ordered):
            return cls(ordered, 0, np.zeros(1, dtype=np.int64))
        first, last = int(ordered.entity[0]), int(ordered.entity[-1])
        return cls(ordered, first, np.searchsorted(ordered.entity, np.arange(first, last + 2)))

    def bounds(self, entity: Ints) -> tuple[Ints, Ints]:
        """Where each entity's events begin and end; empty for one that has none."""
        code = np.clip(entity - self.first, 0, len(self.starts) - 1)
        begin, end = self.starts[code], self.starts[np.minimum(code + 1, len(self.starts) - 1)]
        return begin, np.where(entity < self.first, begin, end)

    def before(self, entity: Ints, time: Ints) -> Ints:
        """The position of each entity's first event at or after ``time``."""
        return first_at_least(self.events.time, time, *self.bounds(entity))


def in_order(events: Events) -> Events:
    return events.take(np.lexsort((events.tie, events.time, events.entity)))


def pieces(events: Ints, queries: Ints) -> Iterator[tuple[slice, slice]]:
    """Sorted entities of events and of queries, cut into pieces of whole entities small enough for the caches."""
    cuts = np.unique(np.concatenate([events[PIECE::PIECE], queries[PIECE::PIECE]]))
    of_events = [0, *np.searchsorted(events, cuts).tolist(), len(events)]
    of_queries = [0, *np.searchsorted(queries, cuts).tolist(), len(queries)]
    for number in range(len(cuts) + 1):
        yield slice(*of_events[number : number + 2]), slice(*of_queries[number : number + 2])


def first_at_least(values: Ints, wanted: Ints, start: Ints, end: Ints) -> Ints:
    """For each i the first position in ``start[i]`` to ``end[i]`` where ``values``, sorted there, is >= ``wanted[i]``.

    All binary searches go in step, so their number of rounds is the logarithm of the longest range.
    """
    last_below = start - 1
    if not len(values) or not len(start):
        return last_below + 1
    step = 1 << int((end - start).max()).bit_length()
    while step := step >> 1:
        probe = last_below + step
        below = probe < end
        below &= values.take(probe, mode="clip") < wanted
        last_below += step * below
    return last_below + 1
