"""States as bytes, and bytes as tables of all entities together."""

import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from operator import mul
from typing import Any, NamedTuple

import numpy as np

from feature_store.columns.events import Ints
from feature_store.definitions.windows import EVER, NEVER
from feature_store.tiles.layout import Layout
from feature_store.tiles.table import Table
from tidemill.config.errors import TerminalError

MAGIC = b"TMWS"
FORMAT = 2
HEADER = struct.Struct("<4sHI16sqqqqq")
"""Magic, format version, checksum of all that follows it, fingerprint, and the fields of :class:`Header`."""
CHECKED_FROM = struct.calcsize("<4sHI")
NO_VERSION = -1
NO_EPOCH = 0
REBUILDING_MARK = b"TMRB"
"""What stands in place of a state while it is made anew: it holds nothing, so nothing wrong can be answered."""


class StateError(TerminalError):
    """A state that new events cannot be applied to."""


class Status(IntEnum):
    """How far the values of one entity can be relied on."""

    OK = 0
    NO_STATE = 1
    """Nothing was ever applied: the values are those of an entity without events."""
    UNREADABLE = 2
    OTHER_FINGERPRINT = 3
    STALE = 4
    """The values are there, but the state was written longer ago than the group allows."""
    REBUILDING = 5
    """No values: the state is being made anew from the lake."""
    PAST = 6
    """No values: asked about a time before those that the state can answer for."""
    LOST = 7
    """No values: the store has lost the state, or went back to an older one; it will be made anew from the lake."""


class Header(NamedTuple):
    """What states say of themselves, a field for all of them or for one; times are microseconds since 1970.

    ``version`` is the last commit taken in, at ``time`` by the clock of who did. The state answers exactly for times
    from ``since`` to ``until``. It was made in ``epoch``.
    """

    version: Any
    time: Any
    since: Any
    until: Any
    epoch: Any


NOTHING = Header(NO_VERSION, 0, EVER, NEVER, NO_EPOCH)


@dataclass(frozen=True)
class States:
    """The states of entities 0 to n - 1, taken apart; ``unusable`` are those with bytes that cannot be read."""

    status: Ints
    unusable: Sequence[int]
    header: Header
    tables: Mapping[str, Table]


def header_of(layout: Layout, state: bytes | None) -> Header | Status:
    """What ``state`` says of itself, or why it cannot be used."""
    found = _header(layout, state, layout.row_sizes)
    return found if isinstance(found, Status) else Header(*found[0])


def peek(layout: Layout, head: bytes) -> Header | None:
    """What a state says of itself, by its first bytes alone and unchecked; None when it is none of this definition."""
    if len(head) < HEADER.size:
        return None
    magic, form, _, fingerprint, *fields = HEADER.unpack_from(head)
    return Header(*fields) if (magic, form, fingerprint) == (MAGIC, FORMAT, layout.fingerprint) else None


def decode(layout: Layout, states: Sequence[bytes | None]) -> States:
    """Never fails: what cannot be read has a status that says so, and no rows."""
    types, sizes = layout.row_types, layout.row_sizes
    status = np.zeros(len(states), dtype=np.int64)
    headers = np.repeat(np.array([NOTHING], dtype=np.int64), len(states), axis=0)
    lengths = np.zeros((len(types), len(states)), dtype=np.int64)
    pieces: list[list[bytes]] = [[] for _ in types]
    unusable = []
    for number, state in enumerate(states):
        found = _header(layout, state, sizes)
        if isinstance(found, Status):
            status[number] = found
            if found is not Status.NO_STATE:
                unusable.append(number)
            continue
        headers[number], rows = found
        lengths[:, number] = rows
        begin = HEADER.size + 4 * len(sizes)
        for table, length in enumerate(map(mul, rows, sizes)):
            if length and state:
                pieces[table].append(state[begin : begin + length])
                begin += length
    owners = np.arange(len(states))
    tables = {}
    for table, (name, kind) in enumerate(types.items()):
        if pieces[table]:
            content = np.frombuffer(b"".join(pieces[table]), dtype=kind)
            tables[name] = Table(np.repeat(owners, lengths[table]), content)
        else:
            tables[name] = layout.no_rows[name]
    return States(status, unusable, Header(*headers.T), tables)


def encode(layout: Layout, header: Header, tables: Mapping[str, Table]) -> list[bytes]:
    """The bytes of each entity's state."""
    types = layout.row_types
    fields = np.stack(header, axis=1).tolist()
    entities = np.arange(len(fields) + 1)
    limits = np.array([np.searchsorted(tables[name].owner, entities) for name in types])
    counts = np.diff(limits).astype("<u4")
    contents = [np.ascontiguousarray(tables[name].rows).tobytes() for name in types]
    offsets = limits * np.array(layout.row_sizes)[:, None]
    result = []
    for number, values in enumerate(fields):
        parts = [counts[:, number].tobytes()]
        parts += [content[at[number] : at[number + 1]] for content, at in zip(contents, offsets, strict=True)]
        packed = HEADER.pack(MAGIC, FORMAT, 0, layout.fingerprint, *values)
        body = b"".join([packed[CHECKED_FROM:], *parts])
        result.append(struct.pack("<4sHI", MAGIC, FORMAT, zlib.crc32(body)) + body)
    return result


def _header(
    layout: Layout, state: bytes | None, sizes: Sequence[int]
) -> tuple[tuple[int, ...], tuple[int, ...]] | Status:
    """The fields of its header and how many rows each table has."""
    if state is None or state == REBUILDING_MARK:
        return Status.NO_STATE if state is None else Status.REBUILDING
    if len(state) < HEADER.size + 4 * len(sizes):
        return Status.UNREADABLE
    magic, form, checksum, fingerprint, *fields = HEADER.unpack_from(state)
    if magic != MAGIC or form != FORMAT or zlib.crc32(memoryview(state)[CHECKED_FROM:]) != checksum:
        return Status.UNREADABLE
    if fingerprint != layout.fingerprint:
        return Status.OTHER_FINGERPRINT
    rows = struct.unpack_from(f"<{len(sizes)}I", state, HEADER.size)
    if len(state) != HEADER.size + 4 * len(sizes) + sum(map(mul, rows, sizes)):
        return Status.UNREADABLE
    return tuple(fields), rows
