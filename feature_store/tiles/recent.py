"""The latest events of an entity: enough for last, last_k and the time since, over every window at once.

All windows end at the time of the request, so the latest events of a window are the latest of all, as far as the window
covers them: no tiles are needed.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from feature_store.definitions import LIFETIME, Feature, Function
from feature_store.double_double import Floats
from feature_store.events import Ints
from feature_store.readings import Reading
from feature_store.tiles.grouping import Groups
from feature_store.tiles.layout import Layout
from feature_store.tiles.rows import Rows
from feature_store.tiles.state import Table
from feature_store.windows import tail

SECOND = 1_000_000
NEVER = np.iinfo(np.int64).min


@dataclass(frozen=True)
class Recent:
    """The latest events of each entity and slot, the latest first: shape (entities, slots, k)."""

    times: Ints
    values: Floats

    @classmethod
    def of(cls, layout: Layout, table: Table, past: Table, times: Ints) -> Self:
        more_owner, more_rows = recent_rows(layout, past.owner, past.rows)
        owner, rows = np.concatenate([table.owner, more_owner]), np.concatenate([table.rows, more_rows])
        before = rows["time"] < times[owner]
        owner, rows, rank = keep_latest(layout, owner[before], rows[before])
        shape = (len(times), len(layout.latest), max(layout.latest.values(), default=0))
        result = cls(np.full(shape, NEVER), np.full(shape, np.nan))
        result.times[owner, rows["slot"], rank] = rows["time"]
        result.values[owner, rows["slot"], rank] = rows["value"]
        return result

    def value(self, layout: Layout, feature: Feature, times: Ints) -> Floats:
        slot = list(layout.latest).index(Reading.of(feature))
        rank = feature.argument - 1 if isinstance(feature.argument, int) else 0
        time = self.times[:, slot, rank]
        covered = time != NEVER
        if feature.window != LIFETIME:
            covered &= time >= tail(times, feature.window)
        value = self.values[:, slot, rank]
        if feature.function is Function.TIME_SINCE_LAST:
            value = (times - time) / SECOND
        return np.where(covered, value, np.nan)


def recent_rows(layout: Layout, owner: Ints, events: Rows) -> tuple[Ints, Rows]:
    """Each event once for each reading that has it, with its owner."""
    owners, tables = [owner[:0]], [np.zeros(0, dtype=layout.recent)]
    for slot, reading in enumerate(layout.latest):
        present = events["present"][:, layout.readings.index(reading)]
        rows = np.zeros(int(present.sum()), dtype=layout.recent)
        rows["slot"], rows["time"], rows["tie"] = slot, events["time"][present], events["tie"][present]
        if reading in layout.numbers:
            rows["value"] = events["number"][present, layout.numbers.index(reading)]
        owners.append(owner[present])
        tables.append(rows)
    return np.concatenate(owners), np.concatenate(tables)


def keep_latest(layout: Layout, owner: Ints, rows: Rows) -> tuple[Ints, Rows, Ints]:
    """Of each owner and slot the latest k, latest first, and each one's position from the latest (0)."""
    order = np.lexsort((rows["tie"], rows["time"], rows["slot"], owner))[::-1]
    owner, rows = owner[order], rows[order]
    slots = max(len(layout.latest), 1)
    groups = Groups.of(-(owner * slots + rows["slot"]))
    rank = groups.rank()
    most = np.array(list(layout.latest.values()) or [0])
    kept = rank < most[rows["slot"]]
    return owner[kept], rows[kept], rank[kept]
