"""Rows to messages: the text of each event is put together, and judged as the bytes that the lake will read."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ingestion_layer.sources.mapped.cells import (
    MAX_TOLD,
    MISSING,
    NULL,
    UNREADABLE,
    Convert,
    Unfit,
    UnreadableError,
    converter,
    is_null,
    plain_text,
)
from ingestion_layer.sources.mapped.chunk import Chunk, Reject
from ingestion_layer.sources.mapped.declared import Column
from ingestion_layer.sources.mapped.mapping import STRING, SourceMapping, column_type
from ingestion_layer.sources.mapped.moments import rfc3339, to_moment
from ingestion_layer.sources.mapped.properties import Member, data_members, in_column
from tidemill.contracts.checker import Rejection, checker
from tidemill.contracts.columns import DecimalType, SimpleType
from tidemill.contracts.events import event_id
from tidemill.contracts.registry import contract
from tidemill.contracts.serialise import to_json

SEPARATOR = "\x1f"


@dataclass(frozen=True)
class Judged:
    """The messages of a chunk in order, by key and value, the index in it of each, and its rows that are no events.

    Plain lists: between processes they are quicker than an object for each message.
    """

    keys: Sequence[bytes]
    values: Sequence[bytes]
    indexes: Sequence[int]
    rejects: Sequence[Reject]


class Judge:
    """Makes the events of one source; ``identity`` names what has the rows, where only their line tells them apart.

    With ``by_content`` a row that says something else is another event, also under the same id columns.
    """

    def __init__(self, mapping: SourceMapping, identity: str, *, by_content: bool = False) -> None:
        self._mapping, self._identity, self._by_content = mapping, identity, by_content
        of = contract(mapping.topic)
        self._check = checker(mapping.topic).message
        self._data = data_members(mapping, of)
        timed = mapping.declared.time.column
        self._time = in_column(_moments(mapping), timed)
        self._ids = [
            self._time if name == timed else in_column(_identifier(mapping, name), name) for name in mapping.declared.id
        ]
        self._columns = {
            f"/data/{column.property.replace('.', '/')}": name for name, column in mapping.declared.columns.items()
        }
        envelope = {"specversion": "1.0", "source": mapping.source, "type": of.topic}
        envelope |= {"datacontenttype": "application/json", "dataschema": of.dataschema}
        self._head = f'{to_json(envelope).decode()[:-1]},"id":"'

    def judge(self, chunk: Chunk) -> Judged:
        """Every row of ``chunk``, as a message or as a reject."""
        keys, values, indexes, rejects = [], [], [], list(chunk.rejects)
        head, source, check = self._head, self._mapping.source, self._check
        for index, (record, time, *data) in enumerate(self._rows(chunk)):
            try:
                text = head + event_id(source, record) + '","time":"' + time + '","data":{' + "".join(data)[1:] + "}}"
            except (TypeError, AttributeError):  # as quick as can be where every cell fits
                rejects.append(_unfit(chunk, index, (record, time, *data)))
                continue
            message = check(text.encode())
            if isinstance(message, Rejection):
                rejects.append(self.rejected(chunk, index, message))
            else:
                keys.append(message.key)
                values.append(message.value)
                indexes.append(index)
        return Judged(keys, values, indexes, sorted(rejects, key=lambda reject: reject.line))

    def rejected(self, chunk: Chunk, index: int, rejection: Rejection) -> Reject:
        """The row of an event that the lake would refuse, with the column that its place was made of."""
        pointer, _, detail = rejection.detail.partition(": ")
        column = self._columns.get(pointer)
        return Reject(chunk.lines[index], rejection.reason.value, detail, column, pointer, chunk.row(index))

    def _rows(self, chunk: Chunk) -> Iterable[tuple[Any, ...]]:
        """For each row what names it in its source, its time, and its members; none is kept, and that is quicker."""
        said = (self._time(chunk), *(of(chunk) for of in self._data))
        if self._by_content:
            width = len(self._ids)
            rows = zip(*(of(chunk) for of in self._ids), *said, strict=True)
            return ((_joined(row), *row[width:]) for row in rows)
        records: Iterable[Any] = (f"{self._identity}/{line}" for line in chunk.lines)
        if self._ids:
            records = map(_joined, zip(*(of(chunk) for of in self._ids), strict=True))
        return zip(records, *said, strict=True)


def _joined(parts: Sequence[Any]) -> Any:
    try:
        return SEPARATOR.join(parts)
    except TypeError:
        return next(part for part in parts if isinstance(part, Unfit))


def _unfit(chunk: Chunk, index: int, parts: Iterable[Member]) -> Reject:
    unfit = next(part for part in parts if isinstance(part, Unfit))
    return Reject(chunk.lines[index], unfit.reason, unfit.detail, unfit.column, unfit.where, chunk.row(index))


def _moments(mapping: SourceMapping) -> Convert:
    said = mapping.declared

    def moment(cell: Any) -> Member:
        if is_null(cell, said):
            return Unfit(MISSING, said.time.column, "/time", "has no value, and an event has a time")
        try:
            return rfc3339(to_moment(cell, said.time.format, said.zone_info))
        except ValueError as error:
            return Unfit(UNREADABLE, said.time.column, "/time", f"{str(cell)[:MAX_TOLD]!r} {error}")

    return moment


def _identifier(mapping: SourceMapping, name: str) -> Convert:
    """The cells of the id column ``name`` by their values: 7 and 7.0 name one record, in whatever file they stand."""
    said = mapping.declared
    column = said.columns.get(name, Column(property=name))
    kind = column_type(contract(mapping.topic), column.property) if name in said.columns else STRING
    assert kind is not None, name  # noqa: S101 - the mapping was checked
    convert = converter(name, column, kind, said)
    is_number = isinstance(kind, DecimalType) or kind == SimpleType("DOUBLE")

    def identifier(cell: Any) -> Member:
        made = convert(cell)
        if made == NULL:
            return Unfit(MISSING, name, "/id", "has no value, and it names the record")
        if not is_number or not isinstance(made, str):
            return made
        try:
            return plain_text(made)
        except UnreadableError as error:
            return Unfit(UNREADABLE, name, "/id", f"{str(cell)[:MAX_TOLD]!r} {error}")

    return identifier
