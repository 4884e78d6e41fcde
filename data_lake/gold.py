"""Gold tables as they are declared: one YAML file each, ``use_cases/<folder>/gold/<table>.yaml``.

The file says what a row is and how it is made of the events of its day; everything else follows from it.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from data_lake.schema import DECIMAL, PRIMITIVES, column, json_type
from tidemill.config.declared import explained, read_declared
from tidemill.config.errors import TerminalError, nearest
from tidemill.config.project import current_project
from tidemill.contracts.columns import MAX_PRECISION, Column
from tidemill.contracts.registry import contracts

DAY = "event_date"
"""The column of silver whose values are recomputed; every gold table of days has it, as a part of its key."""
MONTH = "event_month"
"""The partition of a day, such as ``2011-12``; the platform adds it."""
EVENTS = "events"
"""What a query calls the rows of silver."""
PLATFORMS = (
    "data_quality",
    "drift",
    "feature_consistency",
    "feature_corrections",
    "model_performance",
    "model_profiles",
    "prediction_outcomes",
    "scores",
)
"""Tables in ``gold/`` that the platform itself declares, in ``data_lake/tables.py``."""

TABLE_NAME = re.compile(r"[a-z][a-z0-9_]*")
COLUMN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class GoldTableError(TerminalError):
    """A declaration that cannot be used, or is not there; the message names the file, the key and the value."""


@dataclass(frozen=True)
class GoldTable:
    """A gold table whose rows of a day come from the events of that day alone.

    ``query`` is Spark SQL over ``events``, the rows of silver of the topic ``source``. ``revision`` is raised when the
    query changes its meaning: the next run then recomputes every day.
    """

    name: str
    file: Path
    description: str
    source: str
    revision: int
    columns: tuple[Column, ...]
    keys: tuple[str, ...]
    query: str
    has_change_feed: bool = False


def gold_table(name: str) -> GoldTable:
    """The gold table ``name``, such as ``customer_daily`` or ``gold/customer_daily``, of the platform or the project.

    Raises:
        GoldTableError: there is no such declaration, or it cannot be used.
    """
    files = current_project().gold_files()
    file = files.get(name.removeprefix("gold/"))
    if file is None:
        known = nearest(name.removeprefix("gold/"), files) or "; none is declared"
        raise GoldTableError(f"no gold table {name!r}: no file use_cases/*/gold/*.yaml has its name{known}")
    declared = read_gold_table(file)
    if why := unknown_source(declared, contracts()):
        raise GoldTableError(f"{file}: {why}")
    return declared


def unknown_source(declared: GoldTable, topics: Collection[str]) -> str:
    """Why ``source`` is none of ``topics``; empty when it is one."""
    if declared.source in topics:
        return ""
    return f"source = {declared.source!r}: no contract has this topic{nearest(declared.source, topics)}"


def read_gold_table(file: Path) -> GoldTable:
    """The gold table that ``file`` declares; whether there is a contract of its source is not looked at.

    Raises:
        GoldTableError: the file cannot be read, is not YAML, or has an unknown, missing or bad value.
    """
    if TABLE_NAME.fullmatch(file.stem) is None:
        raise GoldTableError(f"{file}: the file's name is the table's: use lower-case letters, digits and underscores")
    if file.stem in PLATFORMS:
        raise GoldTableError(
            f"{file}: gold/{file.stem} is a table of the platform's own, of data_lake/tables.py: rename the file"
        )
    content = read_declared(
        file, _Content, GoldTableError, lambda problem: explained(problem, "a gold table", _Content.model_fields)
    )
    return GoldTable(
        name=file.stem,
        file=file,
        description=content.description,
        source=content.source,
        revision=content.revision,
        columns=tuple(column(name, kind) for name, kind in content.columns.items()),
        keys=content.keys,
        query=content.query.strip().removesuffix(";"),
        has_change_feed=content.change_feed,
    )


Text = Annotated[str, Field(min_length=1)]


class _Content(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    description: Text
    owner: Text = "tidemill"
    source: Text
    revision: int = Field(ge=1, strict=True)
    columns: dict[str, str] = Field(min_length=1)
    keys: tuple[str, ...]
    query: Text
    change_feed: bool = Field(default=False, strict=True)

    @field_validator("columns")
    @classmethod
    def _can_be_made(cls, columns: dict[str, str]) -> dict[str, str]:
        before: dict[str, str] = {}
        for name, kind in columns.items():
            if COLUMN_NAME.fullmatch(name) is None:
                raise ValueError(f"{name!r} cannot name a column: use letters, digits and underscores")
            if name.lower() == MONTH:
                raise ValueError(f"{name} is added by the platform: leave it out")
            if (other := before.setdefault(name.lower(), name)) != name:
                raise ValueError(f"{other!r} and {name!r} differ only in case: rename one")
            if not _is_type(kind.removesuffix("?")):
                raise ValueError(f"{name}: {kind!r} is no type of a column: write {TYPES}, and ? behind one for null")
        return columns

    @field_validator("keys")
    @classmethod
    def _identify_a_row_of_a_day(cls, keys: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if DAY not in keys:
            raise ValueError(f"{DAY} is missing: days are what is recomputed")
        if len(set(keys)) < len(keys):
            raise ValueError("a column stands there twice")
        columns = info.data.get("columns")
        if columns is None:
            return keys
        for name in keys:
            if name not in columns:
                raise ValueError(f"{name!r} is none of the columns{nearest(name, columns)}")
            if columns[name].endswith("?"):
                raise ValueError(f"{name} may be null, as its ? says: a key always has a value")
        if columns[DAY] != "DATE":
            raise ValueError(f"{DAY} is {columns[DAY]}, and is a DATE")
        return keys

    @field_validator("query")
    @classmethod
    def _reads_events(cls, query: str) -> str:
        if re.search(rf"\b{EVENTS}\b", query, re.IGNORECASE) is None:
            raise ValueError(f"it does not read `{EVENTS}`, the rows of silver")
        return query


TYPES = f"{', '.join(sorted(PRIMITIVES))}, DECIMAL(p,s), ARRAY<...>, MAP<..., ...> or STRUCT<name: ..., ...>"


def _is_type(kind: str) -> bool:
    try:
        json_type(kind)
    except (KeyError, ValueError, IndexError):
        return False
    decimals = [(int(precision), int(scale)) for precision, scale in DECIMAL.findall(kind)]
    return all(0 < precision <= MAX_PRECISION and scale <= precision for precision, scale in decimals)
