"""The latest events of an entity: enough for last, last_k and the time since, over every window at once.

All windows end at the time of the request, so the latest events of a window are the latest of all, as far as the window
covers them: no tiles are needed.
"""

import numpy as np

from feature_store.columns.events import Ints
from feature_store.columns.grouping import Groups
from feature_store.tiles.layout import Layout
from feature_store.tiles.table import Rows, Table


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


def keep_latest(layout: Layout, table: Table) -> Table:
    """Of each owner and slot the latest k."""
    latest_first = np.lexsort((table.rows["tie"], table.rows["time"], table.rows["slot"], table.owner))[::-1]
    owner, rows = table.owner[latest_first], table.rows[latest_first]
    slots = max(len(layout.latest), 1)
    groups = Groups.of(-(owner * slots + rows["slot"]))
    most = np.array(list(layout.latest.values()) or [0])
    kept = groups.rank() < most[rows["slot"]]
    order = np.argsort(owner[kept], kind="stable")
    return Table(owner[kept][order], rows[kept][order])
