"""States as bytes, and bytes as tables of all entities together."""

import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from operator import mul
from typing import NamedTuple

import numpy as np

from config.errors import TerminalError
from feature_store.events import Ints
from feature_store.tiles.layout import Layout
from feature_store.tiles.table import Table

MAGIC = b"TMWS"
FORMAT = 1
HEADER = struct.Struct("<4sHI16sqq")
"""Magic, format version, checksum of all that follows it, fingerprint, applied commit version, applied time."""
CHECKED_FROM = struct.calcsize("<4sHI")
NO_VERSION = -1
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
    """No values: the lake changed otherwise than by new events, and the state is being made anew from it."""


@dataclass(frozen=True)
class States:
    """The states of entities 0 to n - 1, taken apart; ``unusable`` are those with bytes that cannot be read."""

    status: Ints
    unusable: Sequence[int]
    version: Ints
    time: Ints
    tables: Mapping[str, Table]


def is_at_least(layout: Layout, state: bytes | None, version: int) -> bool:
    """Whether ``state`` can be read and has taken in commit ``version``."""
    header = _header(layout, state, layout.row_sizes)
    return not isinstance(header, Status) and header.version >= version


def is_written_at(layout: Layout, state: bytes, time: int) -> bool:
    """Whether ``state`` can be read and was written at ``time`` or later."""
    header = _header(layout, state, layout.row_sizes)
    return not isinstance(header, Status) and header.time >= time


def decode(layout: Layout, states: Sequence[bytes | None]) -> States:
    """Never fails: what cannot be read has a status that says so, and no rows."""
    types, sizes = layout.row_types, layout.row_sizes
    status = np.zeros(len(states), dtype=np.int64)
    version, time = np.full(len(states), NO_VERSION), np.zeros(len(states), dtype=np.int64)
    lengths = np.zeros((len(types), len(states)), dtype=np.int64)
    pieces: list[list[bytes]] = [[] for _ in types]
    unusable = []
    for number, state in enumerate(states):
        header = _header(layout, state, sizes)
        if isinstance(header, Status):
            status[number] = header
            if header is not Status.NO_STATE:
                unusable.append(number)
            continue
        version[number], time[number], rows = header.version, header.time, header.rows
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
    return States(status, unusable, version, time, tables)


def encode(layout: Layout, version: Ints, time: Ints, tables: Mapping[str, Table]) -> list[bytes]:
    """The bytes of each entity's state."""
    types = layout.row_types
    entities = np.arange(len(version) + 1)
    limits = np.array([np.searchsorted(tables[name].owner, entities) for name in types])
    counts = np.diff(limits).astype("<u4")
    contents = [np.ascontiguousarray(tables[name].rows).tobytes() for name in types]
    offsets = limits * np.array(layout.row_sizes)[:, None]
    result = []
    for number in range(len(version)):
        parts = [counts[:, number].tobytes()]
        parts += [content[at[number] : at[number + 1]] for content, at in zip(contents, offsets, strict=True)]
        header = HEADER.pack(MAGIC, FORMAT, 0, layout.fingerprint, int(version[number]), int(time[number]))
        body = b"".join([header[CHECKED_FROM:], *parts])
        result.append(struct.pack("<4sHI", MAGIC, FORMAT, zlib.crc32(body)) + body)
    return result


class _Header(NamedTuple):
    version: int
    time: int
    rows: tuple[int, ...]


def _header(layout: Layout, state: bytes | None, sizes: Sequence[int]) -> _Header | Status:
    """What a state says of itself, or why it cannot be used."""
    if state is None or state == REBUILDING_MARK:
        return Status.NO_STATE if state is None else Status.REBUILDING
    if len(state) < HEADER.size + 4 * len(sizes):
        return Status.UNREADABLE
    magic, form, checksum, fingerprint, version, time = HEADER.unpack_from(state)
    if magic != MAGIC or form != FORMAT or zlib.crc32(memoryview(state)[CHECKED_FROM:]) != checksum:
        return Status.UNREADABLE
    if fingerprint != layout.fingerprint:
        return Status.OTHER_FINGERPRINT
    rows = struct.unpack_from(f"<{len(sizes)}I", state, HEADER.size)
    if len(state) != HEADER.size + 4 * len(sizes) + sum(map(mul, rows, sizes)):
        return Status.UNREADABLE
    return _Header(version, time, rows)
