"""The contracts: one JSON Schema (2020-12) a topic, of ``tidemill/contracts/schemas`` and the project's ``contracts``.

Beside the standard keywords a schema states ``x-topic``, ``x-table`` (the noun of its silver table), ``x-key``
(fields of ``data``, the first that has a value is the Kafka key) and, on a number, ``x-decimal`` ([precision, scale]).
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from tidemill.config.errors import TerminalError
from tidemill.config.project import SCHEMAS, current_project
from tidemill.contracts.columns import data_types
from tidemill.contracts.errors import ContractError
from tidemill.contracts.rules import check_keywords, check_schema

NAMES = {str: "a text", list: "a list", dict: "an object"}
ENVELOPE_FILE = SCHEMAS / "cloudevent.json"


class NoKeyError(TerminalError):
    """An event that is about nobody."""


@dataclass(frozen=True)
class Contract:
    """What the events of one topic are."""

    topic: str
    table: str
    key_fields: tuple[str, ...]
    schema: dict[str, Any]

    @cached_property
    def dataschema(self) -> str:
        return str(self.schema["$id"])

    def key(self, data: Mapping[str, Any]) -> bytes:
        """The Kafka key of an event with this ``data``: the entity it is about, a number in its one shortest form.

        Raises:
            NoKeyError: no field of the key has a value.
        """
        for field in self.key_fields:
            value = data.get(field)
            if value is not None:
                return _key_text(value).encode()
        raise NoKeyError(f"none of {', '.join(self.key_fields)} has a value, so the event has no key")


def _key_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if value == 0:  # of which -0.0 is one
        return "0"
    digits = format(Decimal(repr(value)) if isinstance(value, float) else Decimal(value), "f")
    return digits.rstrip("0").rstrip(".") if "." in digits else digits


@cache
def contracts() -> Mapping[str, Contract]:
    """Every contract, by topic.

    Raises:
        ContractError: a file cannot serve as a contract, or two are for one topic or table.
    """
    files = current_project().contract_files(SCHEMAS)
    found = [read_contract(path) for path in files]
    check_tables(dict(zip(files, found, strict=True)))
    return {contract.topic: contract for contract in found}


def check_tables(read: Mapping[Path, Contract]) -> None:
    """Raises ContractError where two contracts name the same silver table."""
    places: dict[str, Path] = {}
    for path, contract in read.items():
        if (other := places.setdefault(contract.table, path)) != path:
            raise ContractError(f"{path}: x-table {contract.table!r} is that of {other} too: name another")


def contract(topic: str) -> Contract:
    """The contract of ``topic``.

    Raises:
        ContractError: no schema names this topic.
    """
    try:
        return contracts()[topic]
    except KeyError:
        raise ContractError(f"no contract for topic {topic!r}; known: {', '.join(contracts())}") from None


@cache
def envelope() -> dict[str, Any]:
    """The schema of the CloudEvents envelope."""
    schema: dict[str, Any] = json.loads(ENVELOPE_FILE.read_text(encoding="utf-8"))
    return schema


def read_contract(path: Path) -> Contract:
    """The contract in the file ``path``.

    Raises:
        ContractError: it cannot serve as one.
    """
    schema = read_schema(path)
    check_schema(path.name, schema)
    read = Contract(schema["x-topic"], schema["x-table"], tuple(schema["x-key"]), schema)
    data_types(read)
    return read


def read_schema(path: Path) -> dict[str, Any]:
    """The schema in the file ``path``, which says what a contract must say.

    Raises:
        ContractError: it is no JSON, lacks a keyword, has one whose value cannot be that of a JSON Schema, or is
            called otherwise than its topic.
    """
    try:
        schema: Any = json.loads(path.read_text(encoding="utf-8"), parse_float=_exact_float)
        json.dumps(schema, ensure_ascii=False).encode()  # refuses half a character, such as \ud800
    except (ValueError, OSError, RecursionError) as error:
        raise ContractError(f"{path.name} cannot be read: {error}") from error
    wanted = {"$id": str, "x-topic": str, "x-table": str, "x-key": list, "properties": dict, "required": list}
    missing = [key for key in wanted if not isinstance(schema, dict) or key not in schema]
    if missing:
        raise ContractError(f"{path.name}: lacks {', '.join(missing)}")
    for key, kind in wanted.items():
        if not isinstance(schema[key], kind):
            raise ContractError(f"{path.name}: {key} is {schema[key]!r:.100}, and should be {NAMES[kind]}")
    if path.stem != schema["x-topic"]:
        raise ContractError(f"{path.name}: x-topic is {schema['x-topic']!r}; the file is named after the topic")
    read: dict[str, Any] = schema
    check_keywords(path.name, read)
    return read


def _exact_float(lexeme: str) -> float:
    value = float(lexeme)
    if Decimal(repr(value)) != Decimal(lexeme):
        raise ValueError(f"{lexeme} is no float64: as a bound it would be {value!r}")
    return value


def topics_called(names: Iterable[str]) -> list[str]:
    """The topics of these contracts; without a name, all.

    Raises:
        ContractError: a contract does not exist.
    """
    return [contract(name).topic for name in names] or list(contracts())
