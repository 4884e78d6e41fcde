"""Events in order, and where a time falls among those of an entity."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from feature_store.events import Events, Ints


@dataclass(frozen=True)
class Timeline:
    """Events sorted by entity, time and tie-breaker; ``starts[e]`` to ``starts[e + 1]`` are those of entity ``e``."""

    events: Events
    starts: Ints

    @classmethod
    def of(cls, events: Events) -> Self:
        ordered = events.take(np.lexsort((events.tie, events.time, events.entity)))
        entities = int(ordered.entity[-1]) + 1 if len(ordered) else 0
        return cls(ordered, np.searchsorted(ordered.entity, np.arange(entities + 1)))

    def bounds(self, entity: Ints) -> tuple[Ints, Ints]:
        """Where each entity's events begin and end; empty for one that has none."""
        known = (entity >= 0) & (entity < len(self.starts) - 1)
        code = np.where(known, entity, 0)
        if len(self.starts) == 1:
            return np.zeros_like(code), np.zeros_like(code)
        return self.starts[code], np.where(known, self.starts[code + 1], self.starts[code])

    def before(self, entity: Ints, time: Ints) -> Ints:
        """The position of each entity's first event at or after ``time``."""
        return first_at_least(self.events.time, time, *self.bounds(entity))


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
