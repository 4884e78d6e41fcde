"""Columns of cells to members of an event's ``data``, a column at a time."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import repeat
from typing import Any

from ingestion_layer.sources.mapped.cells import MISSING, NULL, Convert, Unfit, converter
from ingestion_layer.sources.mapped.chunk import Chunk
from ingestion_layer.sources.mapped.mapping import SourceMapping, column_type
from tidemill.contracts.registry import Contract
from tidemill.contracts.serialise import to_json

MAX_REMEMBERED, MAX_TEXT = 50_000, 64
"""How many texts of a column are remembered, and how long they may be: longer ones seldom come again."""

Member = str | Unfit
Members = Callable[[Chunk], Iterable[Member]]
"""For each row ``,"name":value``, or nothing where it has none."""


class Remembered(dict[Any, Member]):
    """What texts became: they come again and again, and a lookup costs a twentieth of a conversion."""

    def __init__(self, convert: Convert) -> None:
        super().__init__()
        self._convert = convert

    def __missing__(self, text: str) -> Member:
        if len(text) > MAX_TEXT:
            return self._convert(text)
        if len(self) >= MAX_REMEMBERED:
            self.clear()
        made = self[text] = self._convert(text)
        return made


def in_column(convert: Convert, column: str) -> Members:
    """What ``convert`` makes of each cell of a column."""
    remembered = Remembered(convert)

    def members(chunk: Chunk) -> Iterable[Member]:
        cells = chunk.columns[column]
        return map(remembered.__getitem__ if chunk.is_text else convert, cells)

    return members


@dataclass
class _Node:
    """A property, or a key of a map in one: a leaf has members, another has nodes below."""

    members: Members | None = None
    below: dict[str, "_Node"] = field(default_factory=dict)


def data_members(mapping: SourceMapping, contract: Contract) -> list[Members]:
    """The members of ``data``, one list for each property."""
    said = mapping.declared
    root = _Node()
    for path, value in said.constants.items():
        _place(root, path).members = _constant(path.split(".")[-1], value)
    for name, column in said.columns.items():
        kind = column_type(contract, column.property)
        assert kind is not None, column.property  # noqa: S101 - the mapping was checked
        convert = _named(contract, column.property, name, converter(name, column, kind, said))
        _place(root, column.property).members = in_column(convert, name)
    return [_members(name, node) for name, node in root.below.items()]


def _place(root: _Node, path: str) -> _Node:
    node = root
    for key in path.split("."):
        node = node.below.setdefault(key, _Node())
    return node


def _constant(name: str, value: Any) -> Members:
    member = f",{to_json(name).decode()}:{to_json(value).decode()}"
    return lambda chunk: repeat(member, len(chunk))


def _named(contract: Contract, path: str, column: str, convert: Convert) -> Convert:
    """With the member's name; a value that is not there is null where the contract takes it, else left out."""
    name, *keys = path.split(".")
    member = f",{to_json(keys[-1] if keys else name).decode()}:"
    takes_null = not keys and "null" in contract.schema["properties"][name]["type"]
    unfit = Unfit(MISSING, column, f"/data/{name}", "has no value, and the contract requires one")
    without: Member = f"{member}{NULL}" if takes_null else unfit
    if not takes_null and (keys or name not in contract.schema["required"]):
        without = ""

    def named(cell: Any) -> Member:
        made = convert(cell)
        if made == NULL:
            return without
        return made if isinstance(made, Unfit) else member + made

    return named


def _members(name: str, node: _Node) -> Members:
    if node.members is not None:
        return node.members
    below = [_members(key, child) for key, child in node.below.items()]
    start = f",{to_json(name).decode()}:{{"

    def members(chunk: Chunk) -> Iterable[Member]:
        return (_object(start, parts) for parts in zip(*(of(chunk) for of in below), strict=True))

    return members


def _object(start: str, parts: Sequence[Member]) -> Member:
    for part in parts:
        if isinstance(part, Unfit):
            return replace(part)
    joined = "".join(parts)  # type: ignore[arg-type]
    return f"{start}{joined[1:]}}}" if joined else ""
