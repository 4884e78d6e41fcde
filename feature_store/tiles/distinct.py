"""Distinct values: each value once, with the time it was seen last.

All windows end at the time of the request, so a value is in a window if it was seen last since the window's tail.

Beyond ``MOST_EXACT`` values of an entity, all that there are then are reduced to what HyperLogLog keeps of them: the
register a value belongs to and the rank it offers it. A register's value over a window is the highest rank seen since
the tail, and a rank that is neither higher nor later than another can go. What is seen from then on is kept as it is
again, so a window that begins after the crowd is counted exactly.

Sources: Flajolet et al., "HyperLogLog", 2007; Chabchoub, Hébrail, "Sliding HyperLogLog", 2010, for ranks with times;
Ertl, "New cardinality estimation algorithms for HyperLogLog sketches", 2017, algorithm 6, for the estimate.
"""

import numpy as np
from numpy.typing import NDArray

from feature_store.columns.events import Ints, Mask
from feature_store.tiles.layout import Layout
from feature_store.tiles.table import Rows, Table

MOST_EXACT = 256
REGISTER_BITS = 11
"""2,048 registers: a standard error of 1.04 / sqrt(2048) = 2.3 %."""
REGISTERS = 1 << REGISTER_BITS
RANK_BITS = 64 - REGISTER_BITS
REST = np.uint64((1 << RANK_BITS) - 1)
RANKS = 64


def distinct_rows(layout: Layout, owner: Ints, events: Rows) -> Table:
    """Each event once for each reading it has a value of."""
    owners, tables = [owner[:0]], [np.zeros(0, dtype=layout.distinct)]
    for slot, reading in enumerate(layout.hashes):
        present = events["present"][:, layout.readings.index(reading)]
        rows = np.zeros(int(present.sum()), dtype=layout.distinct)
        rows["slot"], rows["last"], rows["key"] = slot, events["time"][present], events["hash"][present, slot]
        owners.append(owner[present])
        tables.append(rows)
    return Table(np.concatenate(owners), np.concatenate(tables))


def keep_distinct(layout: Layout, table: Table, since: Ints) -> Table:
    """Each value once, none that no window reaches; reduced where there are too many. ``since``: (entities, slots).

    What is reduced comes first.
    """
    table = table.take(table.rows["last"] >= since[table.owner, table.rows["slot"]])
    table = _each_once(layout, table)
    set_of, is_exact = _set_of(layout, table), ~table.rows["reduced"]
    sizes = np.bincount(set_of[is_exact], minlength=set_of.max(initial=0) + 1)
    too_many = is_exact & (sizes[set_of] > MOST_EXACT)
    return _each_once(layout, _reduce(table, too_many)) if too_many.any() else table


def reduce_hash(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """``register * RANKS + rank``: the first bits choose the register, the zeros after them and one are the rank."""
    rest = (values & REST).astype(np.float64)
    rank = RANK_BITS - np.frexp(rest)[1] + 1
    return (values >> np.uint64(RANK_BITS)) * np.uint64(RANKS) + rank.astype(np.uint64)


def _reduce(table: Table, chosen: Mask) -> Table:
    rows = table.rows.copy()
    rows["key"][chosen] = reduce_hash(rows["key"][chosen])
    rows["reduced"][chosen] = True
    return Table(table.owner, rows)


def _each_once(layout: Layout, table: Table) -> Table:
    """Of each key the row seen last; of a register only ranks higher than all that were seen later."""
    rows = table.rows
    key = np.where(rows["reduced"], rows["key"] // np.uint64(RANKS), rows["key"])
    rank = np.where(rows["reduced"], rows["key"] % np.uint64(RANKS), 0).astype(np.int64)
    set_of = _set_of(layout, table)
    kind = 2 * set_of + ~rows["reduced"]
    order = np.lexsort((-rank, -rows["last"], key, kind))
    changes = np.ones(len(order), dtype=np.bool_)
    changes[1:] = (key[order][1:] != key[order][:-1]) | (kind[order][1:] != kind[order][:-1])
    climbing = np.cumsum(changes) * RANKS + rank[order]
    highest = np.maximum.accumulate(climbing)
    higher = np.ones(len(order), dtype=np.bool_)
    higher[1:] = climbing[1:] > highest[:-1]
    return table.take(order[changes | higher])


def _set_of(layout: Layout, table: Table) -> Ints:
    """A number for each owner and slot, in their order."""
    numbers: Ints = table.owner * max(len(layout.hashes), 1) + table.rows["slot"]
    return numbers
