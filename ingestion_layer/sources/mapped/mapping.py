"""Mappings: read, held against their contracts, and found by name."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from ingestion_layer.sources.mapped.declared import (
    EPOCHS,
    ISO,
    Column,
    Csv,
    Declared,
    Numbers,
    Poll,
    Table,
    Time,
    Xlsx,
)
from ingestion_layer.sources.names import mapping_files
from tidemill.config.declared import explained, read_declared
from tidemill.config.errors import TerminalError, nearest
from tidemill.config.project import current_project
from tidemill.contracts.columns import ColumnType, MapType, SimpleType, data_types
from tidemill.contracts.registry import Contract, contracts

SECTIONS: Mapping[str, type[BaseModel]] = {
    "time": Time, "csv": Csv, "xlsx": Xlsx, "numbers": Numbers, "table": Table, "poll": Poll, "columns": Column,
}  # fmt: skip
STRING, TIMESTAMP = SimpleType("STRING"), SimpleType("TIMESTAMP")


class MappingError(TerminalError):
    """A mapping that cannot be used; the message names the file, the key and what is wrong with it."""


@dataclass(frozen=True)
class SourceMapping:
    """What ``file`` declares, of the mapping ``name``; ``digest`` is the SHA-256 of the file."""

    name: str
    file: Path
    declared: Declared
    digest: str

    @property
    def topic(self) -> str:
        return self.declared.contract

    @property
    def source(self) -> str:
        """The events' ``source``, of which their ids are made."""
        return self.declared.source or f"urn:tidemill:ingest:{self.name}"

    @cached_property
    def read_columns(self) -> tuple[str, ...]:
        """Every column that is needed, each once."""
        said = self.declared
        return tuple(dict.fromkeys((*said.columns, *said.id, said.time.column)))


def mapping_called(name: str) -> SourceMapping:
    """The mapping ``name`` of the platform or the project, or in the file of this path; it fits its contract.

    Raises:
        MappingError: there is none, or it cannot be used.
    """
    files = mapping_files(current_project())
    path = Path(name)
    if name not in files and path.suffix not in (".yaml", ".yml"):
        raise MappingError(f"no mapping {name!r}{nearest(name, files)} (or name a file: PATH.yaml)")
    return checked_mapping(files.get(name, path))


def checked_mapping(file: Path) -> SourceMapping:
    """The mapping in ``file``, held against its contract.

    Raises:
        MappingError: it cannot be read, or does not fit the contract.
    """
    mapping = read_mapping(file)
    if problems := list(mapping_problems(mapping)):
        raise MappingError("; ".join(f"{file}: {problem}" for problem in problems))
    return mapping


def read_mapping(file: Path) -> SourceMapping:
    """The mapping that ``file`` declares; its contract is not looked at.

    Raises:
        MappingError: the file cannot be read, is not YAML, or has an unknown, missing or bad value.
    """
    declared = read_declared(file, Declared, MappingError, _explained)
    return SourceMapping(file.stem, file, declared, hashlib.sha256(file.read_bytes()).hexdigest())


def mapping_problems(mapping: SourceMapping) -> Iterator[str]:
    """What the contract says against ``mapping``: each problem begins with its key."""
    said = mapping.declared
    contract = contracts().get(said.contract)
    if contract is None:
        yield f"contract = {said.contract!r}: no contract has this topic{nearest(said.contract, contracts())}"
        return
    if why := _bad_format(said.time.format):
        yield f"time.format = {said.time.format!r}: {why}"
    places: dict[str, str] = {}
    for name, column in said.columns.items():
        yield from _path_problems(contract, f"columns.{name}", column.property, places)
        if why := _bad_format(column.format):
            yield f"columns.{name}.format = {column.format!r}: {why}"
    for path in said.constants:
        yield from _path_problems(contract, f"constants.{path}", path, places)
    if said.table is not None and not said.id:
        yield "id is missing: name the columns that identify a row of the table"
    given = {path.split(".", maxsplit=1)[0] for path in places}
    for name in contract.schema["required"]:
        if name not in given:
            yield f"columns: nothing becomes {name!r}, which {contract.topic} requires: map one, or state a constant"
    if not given & set(contract.key_fields):
        yield f"columns: nothing becomes {' or '.join(contract.key_fields)}, of which {contract.topic} makes the key"


def column_type(contract: Contract, path: str) -> ColumnType | None:
    """The type at a dotted ``path``, of which what follows the property are keys of maps; None where there is none."""
    name, *keys = path.split(".")
    kind = data_types(contract).get(name)
    for _ in keys:
        kind = kind.values if isinstance(kind, MapType) else None
    return kind


def _path_problems(contract: Contract, key: str, path: str, places: dict[str, str]) -> Iterator[str]:
    if (other := places.setdefault(path, key)) != key:
        yield f"{key}: {other} becomes {path!r} already"
        return
    name = path.split(".", maxsplit=1)[0]
    properties = contract.schema["properties"]
    if name not in properties:
        yield f"{key}: {contract.topic} has no property {name!r}{nearest(name, properties)}"
    elif column_type(contract, path) is None:
        yield f"{key}: {path!r} leads nowhere, since {name!r} of {contract.topic} is no map that deep"
    elif parents := [other for other in places if path.startswith(f"{other}.") or other.startswith(f"{path}.")]:
        yield f"{key}: {path!r} and {parents[0]!r} are one in the other: map one of them"


def _bad_format(form: str) -> str:
    if form == ISO or form in EPOCHS:
        return ""
    try:
        datetime.now(UTC).strptime(datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC).strftime(form), form)
    except ValueError as error:
        return f"no format of strptime ({error}), nor {', '.join((ISO, *EPOCHS))}"
    return "" if "%" in form else f"it has no field such as %Y, and is none of {', '.join((ISO, *EPOCHS))}"


def _explained(problem: ErrorDetails) -> str:
    *above, last = map(str, problem["loc"]) if problem["loc"] else ("",)
    if last == "[key]":
        return f"{'.'.join((*above, last))} = {problem['input']!r}: a key that YAML takes for no text; put it in quotes"
    section = SECTIONS.get(above[0]) if above else None
    return explained(problem, "a mapping", (section or Declared).model_fields)
