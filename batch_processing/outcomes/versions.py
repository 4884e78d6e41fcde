"""Which versions of which tables a use case's outcomes were made from: noted in each commit, for all use cases."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from batch_processing.incremental import SourceMissingError
from data_lake import commits
from data_lake.table import Table
from data_lake.tables import silver, table
from ml_modeling.replay.logged import PREDICTIONS
from ml_modeling.use_case import UseCase
from tidemill.config.settings import Settings

NOTE = "tidemill_outcomes"
FIRST_REVISION = 1
"""Raised with the meaning of the columns: outcomes made by another one are made anew."""


@dataclass(frozen=True)
class Read:
    """A table as it was read: ``id`` is Delta's, another one when the table was made anew."""

    id: str
    version: int


@dataclass(frozen=True)
class Versions:
    """What the outcomes of one use case were made from; ``digest`` is of its definition."""

    digest: str
    revision: int
    tables: Mapping[str, Read]

    @property
    def by_table(self) -> dict[str, int]:
        return {name: read.version for name, read in self.tables.items()}


def versions_now(settings: Settings, use_case: UseCase) -> Versions:
    """The versions of the log and of what the question reads, as they are now.

    Raises:
        SourceMissingError: one of the tables does not exist.
    """
    names = dict.fromkeys([silver(PREDICTIONS).name, *(source.table for source, _ in use_case.question.reads)])
    return Versions(use_case.digest, FIRST_REVISION, {name: _read(settings, table(name)) for name in names})


def _read(settings: Settings, source: Table) -> Read:
    if not commits.exists(source, settings):
        path = source.path(settings)
        raise SourceMissingError(f"{source.name} does not exist at {path}: start what writes it, then run this again")
    return Read(commits.table_id(source, settings), commits.current_version(source, settings))


def noted(settings: Settings, target: Table) -> dict[str, Versions]:
    """By use case, what the newest commit says; empty when it is not this job's."""
    change = commits.newest_change(target, settings) if commits.exists(target, settings) else None
    try:
        content = json.loads((change and change.user_metadata) or "null")
    except json.JSONDecodeError:
        return {}
    found = content.get(NOTE) if isinstance(content, dict) else None
    return {name: _versions(said) for name, said in found.items()} if isinstance(found, dict) else {}


def _versions(said: Mapping[str, Any]) -> Versions:
    tables = {name: Read(**read) for name, read in said["tables"].items()}
    return Versions(said["digest"], said["revision"], tables)


def note(by_use_case: Mapping[str, Versions]) -> str:
    """The commit's metadata."""
    return json.dumps({NOTE: {name: asdict(versions) for name, versions in by_use_case.items()}}, sort_keys=True)


def reason_for_all(before: Versions | None, now: Versions) -> str:
    """Why every prediction is judged again; empty when changes are enough."""
    if before is None:
        return "nothing was noted of it"
    if (before.digest, before.revision) != (now.digest, now.revision):
        return "its definition changed"
    for name, read in now.tables.items():
        then = before.tables.get(name)
        if then is None or then.id != read.id:
            return f"{name} is another table than before"
        if then.version > read.version:
            return f"{name} went back from version {then.version} to {read.version}"
    return ""
