"""The latest events of an entity: enough for last, last_k and the time since, over every window at once.

All windows end at the time of the request, so the latest events of a window are the latest of all, as far as the window
covers them: no tiles are needed.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from feature_store.definitions import Function
from feature_store.double_double import Floats
from feature_store.events import Ints
from feature_store.grouping import Groups
from feature_store.tiles.layout import Layout, Series
from feature_store.tiles.table import Rows, Table
from feature_store.windows import EVER

SECOND = 1_000_000


@dataclass(frozen=True)
class Recent:
    """The latest events of each entity and slot, the latest first: ``at`` and ``value``, (entities, slots, k).

    ``times`` is the time of each entity's request; ``tails`` has shape (entities, windows).
    """

    at: Ints
    value: Floats
    times: Ints
    tails: Ints

    @classmethod
    def of(cls, layout: Layout, table: Table, past: Table, times: Ints, tails: Ints) -> Self:
        both = table.join(recent_rows(layout, past.owner, past.rows))
        owner, rows = both.owner, both.rows
        before = rows["time"] < times[owner]
        owner, rows, rank = keep_latest(layout, owner[before], rows[before])
        shape = (len(times), len(layout.latest), max(layout.latest.values(), default=0))
        result = cls(np.full(shape, EVER), np.full(shape, np.nan), times, tails)
        result.at[owner, rows["slot"], rank] = rows["time"]
        result.value[owner, rows["slot"], rank] = rows["value"]
        return result

    def values(self, layout: Layout, series: Series) -> Floats:
        """Shape (entities, windows)."""
        slot = list(layout.latest).index(series.reading)
        rank = series.argument - 1 if isinstance(series.argument, int) else 0
        at, value = self.at[:, slot, rank], self.value[:, slot, rank]
        if series.function is Function.TIME_SINCE_LAST:
            value = (self.times - at) / SECOND
        covered = (at >= self.tails.T) & (at != EVER)
        return np.where(covered, value, np.nan).T


def recent_rows(layout: Layout, owner: Ints, events: Rows) -> Table:
    """Each event once for each reading that has it."""
    owners, tables = [owner[:0]], [np.zeros(0, dtype=layout.recent)]
    for slot, reading in enumerate(layout.latest):
        present = events["present"][:, layout.readings.index(reading)]
        rows = np.zeros(int(present.sum()), dtype=layout.recent)
        rows["slot"], rows["time"], rows["tie"] = slot, events["time"][present], events["tie"][present]
        if reading in layout.numbers:
            rows["value"] = events["number"][present, layout.numbers.index(reading)]
        owners.append(owner[present])
        tables.append(rows)
    return Table(np.concatenate(owners), np.concatenate(tables))


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
