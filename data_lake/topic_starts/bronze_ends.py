"""Where bronze ends in each partition, found in the newest files: their statistics say which."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from data_lake import tables
from data_lake.arrow import dataset
from data_lake.delta_rs import MissingTableError, open_table
from data_lake.tables import FIRST_GENERATION
from tidemill.config.settings import Settings

STATISTICS = ("path", "min.partition", "max.partition", "max.offset", "max.generation")
UNKNOWN = 2**62


@dataclass(frozen=True)
class LastMessage:
    """The last message of a partition in bronze."""

    partition: int
    offset: int
    broker_time: datetime
    key: bytes | None
    value: bytes | None


@dataclass(frozen=True)
class Extent:
    """What bronze holds of one partition of a generation."""

    first: int
    last: int
    rows: int


def last_messages(
    settings: Settings, topic: str, generation: int, partitions: Collection[int] | None = None
) -> dict[int, LastMessage]:
    """The last message of each partition that bronze has of ``generation``, by partition.

    ``partitions`` are those that can have messages (None: any): one that has none is looked for in every file.
    """
    found = _newest_files(settings, topic, generation, partitions)
    return {partition: file.message(generation, partition, last) for partition, (last, file) in sorted(found.items())}


def last_offsets(
    settings: Settings, topic: str, generation: int, partitions: Collection[int] | None = None
) -> dict[int, int]:
    """The offset of the last message of each partition that bronze has of ``generation``, as :func:`last_messages`."""
    found = _newest_files(settings, topic, generation, partitions)
    return {partition: last for partition, (last, _) in found.items()}


def extents(settings: Settings, topic: str, generation: int) -> dict[int, Extent]:
    """What bronze holds of ``generation``, by partition, counted from every file."""
    counted: dict[int, Extent] = {}
    for file in _newest_first(settings, topic, generation):
        rows = file.positions(generation).group_by("partition")
        for row in rows.aggregate([("offset", "min"), ("offset", "max"), ("offset", "count")]).to_pylist():
            before = counted.get(row["partition"], Extent(row["offset_min"], row["offset_max"], 0))
            counted[row["partition"]] = Extent(
                min(before.first, row["offset_min"]),
                max(before.last, row["offset_max"]),
                before.rows + row["offset_count"],
            )
    return counted


@dataclass(frozen=True)
class _File:
    """A file of bronze; ``partitions`` and ``max_offset`` are what its statistics allow."""

    fragment: ds.Fragment
    schema: pa.Schema
    partitions: range | None
    max_offset: int

    def may_be_later(self, found: Mapping[int, tuple[int, "_File"]], among: Collection[int] | None) -> bool:
        """Whether a message here, of a partition ``among`` these, may be later than the one found of its partition."""
        if self.partitions is None:
            return True
        partitions = self.partitions if among is None else [number for number in among if number in self.partitions]
        return any(partition not in found or self.max_offset > found[partition][0] for partition in partitions)

    def positions(self, generation: int) -> pa.Table:
        """Partition and offset of each message of ``generation``."""
        return self._read(["partition", "offset"], _is_of(generation))

    def last_offsets(self, generation: int) -> dict[int, int]:
        """The last offset of each partition."""
        rows = self.positions(generation).group_by("partition").aggregate([("offset", "max")])
        return {row["partition"]: row["offset_max"] for row in rows.to_pylist()}

    def message(self, generation: int, partition: int, offset: int) -> LastMessage:
        """The message at ``offset``, which is here."""
        is_it = (pc.field("partition") == partition) & (pc.field("offset") == offset)
        rows = self._read(["broker_time", "key", "value"], _is_of(generation) & is_it).to_pylist()
        return LastMessage(partition, offset, **rows[0])

    def _read(self, columns: list[str], rows: pc.Expression) -> pa.Table:
        return self.fragment.to_table(schema=self.schema, columns=columns, filter=rows)


def _newest_files(
    settings: Settings, topic: str, generation: int, among: Collection[int] | None
) -> dict[int, tuple[int, _File]]:
    """The last offset of each partition ``among`` these (None: any), and the file that has it.

    Files are opened from the highest offset down, until no other can hold a later message of any of them.
    """
    found: dict[int, tuple[int, _File]] = {}
    for file in _newest_first(settings, topic, generation):
        if file.may_be_later(found, among):
            for partition, last in file.last_offsets(generation).items():
                if among is not None and partition not in among:
                    continue
                if partition not in found or last > found[partition][0]:
                    found[partition] = (last, file)
    return found


def _newest_first(settings: Settings, topic: str, generation: int) -> Iterator[_File]:
    try:
        bronze = open_table(tables.bronze(topic), settings)
    except MissingTableError:
        return
    files_of = dataset(bronze)
    fragments = {PurePosixPath(fragment.path).name: fragment for fragment in files_of.get_fragments()}
    actions = pa.table(bronze.get_add_actions(flatten=True))
    kept = actions.select([name for name in STATISTICS if name in actions.column_names]).to_pylist()
    files = [
        _file(action, fragments[PurePosixPath(action["path"]).name], files_of.schema)
        for action in kept
        if (action.get("max.generation") or generation) >= generation
    ]
    yield from sorted(files, key=lambda file: file.max_offset, reverse=True)


def _file(action: Mapping[str, Any], fragment: ds.Fragment, schema: pa.Schema) -> _File:
    first, last, offset = (action.get(name) for name in ("min.partition", "max.partition", "max.offset"))
    if first is None or last is None or offset is None:
        return _File(fragment, schema, None, UNKNOWN)
    return _File(fragment, schema, range(first, last + 1), offset)


def _is_of(generation: int) -> pc.Expression:
    return pc.coalesce(pc.field("generation"), pa.scalar(FIRST_GENERATION, pa.int32())) == generation
