"""Suites as they are declared: a YAML file each, ``use_cases/<folder>/expectations/<suite>.yaml``.

Those of the platform's own tables are in ``data_lake/expectations``.

The file says which table it is about; there may be several for one table, and they are judged together.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import ErrorDetails

from data_lake.expectations.kinds import KINDS, Expectation, Freshness, Kind, Known
from data_lake.gold import GoldTableError
from data_lake.table import Table
from data_lake.tables import UnknownTableError, table
from tidemill.config import strict_yaml
from tidemill.config.declared import explained, read_declared
from tidemill.config.errors import TerminalError, nearest
from tidemill.config.project import current_project

DAY = "event_date"
CHANGES = "delta.enableChangeDataFeed"
NAME = re.compile(r"[a-z][a-z0-9_]*")


class SuiteError(TerminalError):
    """A suite that cannot be used; the message names the file, the key and what is wrong with it."""


@dataclass(frozen=True)
class Suite:
    """What the dates of ``table`` are expected to be; ``digest`` is the SHA-256 of its file."""

    name: str
    file: Path
    table: str
    description: str
    expectations: Mapping[str, Kind]
    digest: str


def suites_of(name: str) -> list[Suite]:
    """The suites of the table ``name``, of the platform and the project, in the order of their names.

    A file that is about another table is not looked at; one that does not say what it is about is.

    Raises:
        SuiteError: a file that may be one of them cannot be used.
    """
    return [checked_suite(file) for file in current_project().suite_files().values() if table_in(file) in {name, None}]


def tables_with_suites() -> list[str]:
    """The tables of which something is expected, in the order of their names.

    Raises:
        SuiteError: a file does not say what it is about.
    """
    files = current_project().suite_files().values()
    return sorted({table_in(file) or read_suite(file).table for file in files})


def table_in(file: Path) -> str | None:
    """Which table ``file`` is about; None when it does not say so in a way that can be read."""
    try:
        content = strict_yaml.read(file)
    except (OSError, yaml.YAMLError):
        return None
    said = content.get("table") if isinstance(content, dict) else None
    return said if isinstance(said, str) else None


def checked_suite(file: Path) -> Suite:
    """The suite in ``file``, held against the tables that there are.

    Raises:
        SuiteError: it cannot be read, or names a table or column that is not there.
    """
    suite = read_suite(file)
    if problems := list(suite_problems(suite)):
        raise SuiteError("; ".join(f"{file}: {problem}" for problem in problems))
    return suite


def read_suite(file: Path) -> Suite:
    """The suite that ``file`` declares; whether its table and columns exist is not looked at.

    Raises:
        SuiteError: the file cannot be read, is not YAML, or has an unknown, missing or bad value.
    """
    if NAME.fullmatch(file.stem) is None:
        raise SuiteError(f"{file}: the file's name is the suite's: use lower-case letters, digits and underscores")
    content = read_declared(file, _Content, SuiteError, _explained)
    for name in content.expectations:
        if NAME.fullmatch(name) is None:
            raise SuiteError(f"{file}: expectations.{name}: a name has lower-case letters, digits and underscores")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return Suite(_name(file), file, content.table, content.description, content.expectations, digest)


def _name(file: Path) -> str:
    """Such as ``shop.transactions``; the platform's own are ``tidemill.<suite>``."""
    folder = file.parent.parent.name
    return f"{'tidemill' if folder == 'data_lake' else folder}.{file.stem}"


class _Content(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    table: Annotated[str, Field(min_length=1)]
    description: Annotated[str, Field(min_length=1)]
    expectations: dict[str, Expectation] = Field(min_length=1)


def suite_problems(suite: Suite) -> Iterator[str]:
    """What the tables say against ``suite``: each problem begins with its key."""
    try:
        about = table(suite.table)
    except (UnknownTableError, GoldTableError) as error:
        yield f"table: {error}"
        return
    columns = [column.name for column in about.columns]
    if DAY not in columns:
        yield f"table = {suite.table!r}: it has no {DAY}, and dates are what is judged"
    elif about.properties.get(CHANGES) != "true":
        yield f"table = {suite.table!r}: nobody can tell which dates changed: declare it with `change_feed: true`"
    for name, expectation in suite.expectations.items():
        for column in expectation.columns_read:
            if column not in columns:
                yield f"expectations.{name}: {suite.table} has no column {column!r}{nearest(column, columns)}"
        if isinstance(expectation, Known):
            yield from (f"expectations.{name}.{problem}" for problem in _reference_problems(expectation))
    if sum(isinstance(expectation, Freshness) for expectation in suite.expectations.values()) > 1:
        yield "expectations: freshness is there twice: the table has one newest event"


def _reference_problems(expectation: Known) -> Iterator[str]:
    try:
        reference: Table = table(expectation.table)
    except (UnknownTableError, GoldTableError) as error:
        yield f"table: {error}"
        return
    columns = [column.name for column in reference.columns]
    if expectation.referenced not in columns:
        key = "as" if expectation.as_column else "column"
        advice = nearest(expectation.referenced, columns)
        yield f"{key}: {expectation.table} has no column {expectation.referenced!r}{advice}"


def _explained(problem: ErrorDetails) -> str:
    kind = next((part for part in problem["loc"] if part in KINDS), None)
    place = tuple(part for part in problem["loc"] if part != kind)
    key = ".".join(map(str, place))
    if problem["type"] == "union_tag_not_found":
        return f"{key}.kind is missing: it is one of {', '.join(KINDS)}"
    if problem["type"] == "union_tag_invalid":
        given = str(problem["ctx"]["tag"])
        return f"{key}.kind = {given!r} is no kind of an expectation{nearest(given, KINDS)}"
    return explained({**problem, "loc": place}, _what(kind), _keys(kind))


def _what(kind: str | None) -> str:
    return f"the kind {kind}" if kind else "a suite"


def _keys(kind: str | None) -> list[str]:
    fields = KINDS[kind].model_fields if kind else _Content.model_fields
    return [field.alias or name for name, field in fields.items()]
