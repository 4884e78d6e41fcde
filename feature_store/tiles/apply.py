"""Events into states."""

from collections.abc import Mapping, Sequence

import numpy as np

from feature_store.columns.events import Events, Ints, Mask
from feature_store.columns.filters import passing
from feature_store.columns.grouping import Groups
from feature_store.definitions import LIFETIME, Function
from feature_store.definitions.windows import NEVER, first_tile, micros
from feature_store.tiles.distinct import distinct_rows, keep_distinct
from feature_store.tiles.layout import LEVELS, MARGIN, MOST_AHEAD, MOST_PENDING, Layout
from feature_store.tiles.quantiles import Ranked, value_rows
from feature_store.tiles.recent import keep_latest, recent_rows
from feature_store.tiles.rows import add_tiles, event_rows, tile_rows
from feature_store.tiles.state import NO_EPOCH, Header, StateError, Status, decode, encode
from feature_store.tiles.table import Rows, Table

INDICES = 1 << 32


def apply(  # noqa: PLR0913, PLR0917 - states, what happened, and when
    layout: Layout,
    states: Sequence[bytes | None],
    events: Events,
    commit_version: Ints,
    applied_time: int,
    epoch: int = NO_EPOCH,
) -> list[bytes]:
    """The state of each entity after ``events``, whose ``entity`` is a position in ``states``.

    An event of a commit that a state has taken in already is left out, so a commit may be applied any number of times;
    all events of one commit and entity come in one call. ``applied_time`` is the time of the apply in microseconds; the
    states answer for times from ``MARGIN`` before it on, or from the latest event on of those that were folded early.
    Events that lie ahead of it are never folded. Of more than ``MOST_AHEAD`` of an entity the latest are left out, and
    its state answers up to the first of them: it has to be made anew when that time has come.

    Raises:
        StateError: a state is unreadable, or that of another definition: it must be built anew from silver.
    """
    before = decode(layout, states)
    if wrong := [number for number, status in enumerate(before.status) if status > Status.NO_STATE]:
        reasons = f"state {wrong[0]} is {Status(before.status[wrong[0]]).name}, {len(wrong)} in all"
        raise StateError(f"{layout.group.name}: {reasons}: it must be made anew from the lake")
    version, time = before.header.version.copy(), np.maximum(before.header.time, applied_time)
    time[before.status == Status.NO_STATE] = applied_time
    np.maximum.at(version, events.entity, commit_version)
    fresh = commit_version > before.header.version[events.entity]
    fresh &= passing(layout.group.filters, events)
    arrived = events.take(fresh)
    waiting = before.tables["events"].join(Table(arrived.entity, event_rows(layout, arrived)))
    pending, until = _bounded(waiting, time, before.header.until)
    is_folded, since = _folding(pending, time, before.header.since)
    folded = pending.take(is_folded)
    tables = {
        "tiles": _tiles(layout, before.tables["tiles"], folded, time),
        "events": pending.take(~is_folded),
        "recent": _recent(layout, before.tables["recent"], folded),
        "distinct": _distinct(layout, before.tables["distinct"], folded, time),
        **_values(layout, before.tables, folded, time),
    }
    return encode(layout, Header(version, time, since, until, np.full(len(states), epoch)), tables)


def _bounded(waiting: Table, time: Ints, until: Ints) -> tuple[Table, Ints]:
    """Without the latest of too many events ahead, and until when each state is right without them."""
    at, until = waiting.rows["time"], until.copy()
    order = np.lexsort((waiting.rows["tie"], at, waiting.owner))
    ahead = order[at[order] >= time[waiting.owner[order]]]
    beyond = ahead[Groups.of(waiting.owner[ahead]).rank() >= MOST_AHEAD]
    np.minimum.at(until, waiting.owner[beyond], at[beyond])
    if (until == NEVER).all():
        return waiting, until
    kept = at < until[waiting.owner]
    return waiting.take(kept), until


def _folding(pending: Table, time: Ints, since: Ints) -> tuple[Mask, Ints]:
    """Which events are old enough, or too many (of these the oldest), and since when each state is right with that."""
    at, owner = pending.rows["time"], pending.owner
    is_past = at < time[owner]
    order = np.lexsort((pending.rows["tie"], at, owner))[::-1]
    past = order[is_past[order]]
    is_folded = at < time[owner] - micros(MARGIN)
    is_folded[past[Groups.of(-owner[past]).rank() >= MOST_PENDING]] = True
    since = np.maximum(since, time - micros(MARGIN))
    np.maximum.at(since, owner[is_folded], at[is_folded] + 1)
    return is_folded, since


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
