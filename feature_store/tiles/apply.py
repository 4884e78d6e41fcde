"""Events into states."""

from collections.abc import Mapping, Sequence

import numpy as np

from feature_store.definitions import LIFETIME, Function
from feature_store.events import Events, Ints, Mask
from feature_store.filters import passing
from feature_store.grouping import Groups
from feature_store.tiles.distinct import distinct_rows, keep_distinct
from feature_store.tiles.layout import LEVELS, MARGIN, MOST_PENDING, Layout
from feature_store.tiles.quantiles import Ranked, value_rows
from feature_store.tiles.recent import keep_latest, recent_rows
from feature_store.tiles.rows import add_tiles, event_rows, tile_rows
from feature_store.tiles.state import StateError, Status, decode, encode
from feature_store.tiles.table import Rows, Table
from feature_store.windows import first_tile, micros

INDICES = 1 << 32


def apply(
    layout: Layout, states: Sequence[bytes | None], events: Events, commit_version: Ints, applied_time: int
) -> list[bytes]:
    """The state of each entity after ``events``, whose ``entity`` is a position in ``states``.

    An event of a commit that a state has taken in already is left out, so a commit may be applied any number of times;
    all events of one commit and entity come in one call. ``applied_time`` is the time of the apply in microseconds: no
    request comes for a time more than ``MARGIN`` before it.

    Raises:
        StateError: a state is unreadable, or that of another definition: it must be built anew from silver.
    """
    before = decode(layout, states)
    if wrong := [number for number, status in enumerate(before.status) if status > Status.NO_STATE]:
        reasons = f"state {wrong[0]} is {Status(before.status[wrong[0]]).name}, {len(wrong)} in all"
        advice = f"stop the stream and run `tidemill features bootstrap --anew {layout.group.name}`"
        raise StateError(f"{layout.group.name}: {reasons}: {advice}")
    version, time = before.version.copy(), np.maximum(before.time, applied_time)
    time[before.status == Status.NO_STATE] = applied_time
    np.maximum.at(version, events.entity, commit_version)
    fresh = commit_version > before.version[events.entity]
    fresh &= passing(layout.group.filters, events)
    arrived = events.take(fresh)
    pending = before.tables["events"].join(Table(arrived.entity, event_rows(layout, arrived)))
    is_folded = _is_folded(pending, time)
    folded = pending.take(is_folded)
    tables = {
        "tiles": _tiles(layout, before.tables["tiles"], folded, time),
        "events": pending.take(~is_folded),
        "recent": _recent(layout, before.tables["recent"], folded),
        "distinct": _distinct(layout, before.tables["distinct"], folded, time),
        **_values(layout, before.tables, folded, time),
    }
    return encode(layout, version, time, tables)


def _is_folded(pending: Table, time: Ints) -> Mask:
    """Old enough, or too many: of these the oldest."""
    order = np.lexsort((pending.rows["tie"], pending.rows["time"], pending.owner))[::-1]
    beyond = np.zeros(len(order), dtype=np.bool_)
    beyond[order] = Groups.of(-pending.owner[order]).rank() >= MOST_PENDING
    return beyond | (pending.rows["time"] < time[pending.owner] - micros(MARGIN))


def _tiles(layout: Layout, tiles: Table, events: Table, time: Ints) -> Table:
    single = [tile_rows(layout, events.rows, level) for level in layout.depths]
    owner = np.concatenate([tiles.owner, np.tile(events.owner, len(single))])
    rows: Rows = np.concatenate([tiles.rows, *single])
    needed = _is_needed(layout, owner, rows, time)
    owner, rows = owner[needed], rows[needed]
    key = (owner * len(LEVELS) + rows["level"]) * INDICES + rows["index"] + INDICES // 2
    keys, rows = add_tiles(layout, key, rows)
    return Table(keys // (len(LEVELS) * INDICES), rows)


def _is_needed(layout: Layout, owner: Ints, rows: Rows, time: Ints) -> Mask:
    """False for tiles that no window reaches any more."""
    earliest = time - micros(MARGIN)
    needed = np.ones(len(owner), dtype=np.bool_)
    for level, window in layout.depths.items():
        if window != LIFETIME:
            needed &= (rows["level"] != level) | (rows["index"] >= first_tile(earliest, window)[owner])
    return needed


def _recent(layout: Layout, recent: Table, events: Table) -> Table:
    return keep_latest(layout, recent.join(recent_rows(layout, events.owner, events.rows)))


def _distinct(layout: Layout, distinct: Table, events: Table, time: Ints) -> Table:
    joined = distinct.join(distinct_rows(layout, events.owner, events.rows))
    return keep_distinct(layout, joined, layout.reach(Function.COUNT_DISTINCT, time - micros(MARGIN)))


def _values(layout: Layout, tables: Mapping[str, Table], events: Table, time: Ints) -> Mapping[str, Table]:
    ranked = Ranked.of(tables, value_rows(layout, events.owner, events.rows))
    return ranked.fold(layout, time - micros(MARGIN)).tables(layout)
