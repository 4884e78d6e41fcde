"""Where a Delta table stands, read with delta-rs: no JVM."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from config.settings import Settings


@dataclass(frozen=True)
class Commit:
    """A version of one table; ``table_id`` changes when the table is dropped and made again."""

    table_id: str
    version: int


def latest_commits(settings: Settings, tables: Sequence[str]) -> dict[str, Commit]:
    """The newest commit of each of ``tables`` (names such as ``silver/transactions``); one not there is left out."""
    found = {name: _latest_commit(settings, name) for name in tables}
    return {name: commit for name, commit in found.items() if commit is not None}


def has_new(latest: Mapping[str, Commit], handled: Mapping[str, Commit]) -> bool:
    """Whether a table of ``latest`` has a commit that ``handled`` does not cover, or was made anew since."""
    return any(name not in handled or _is_past(commit, handled[name]) for name, commit in latest.items())


def to_json(commits: Mapping[str, Commit]) -> dict[str, dict[str, Any]]:
    return {name: asdict(commit) for name, commit in commits.items()}


def from_json(document: Mapping[str, Mapping[str, Any]]) -> dict[str, Commit]:
    return {name: Commit(**commit) for name, commit in document.items()}


def _is_past(commit: Commit, handled: Commit) -> bool:
    return commit.table_id != handled.table_id or commit.version > handled.version


def _latest_commit(settings: Settings, name: str) -> Commit | None:
    from deltalake import DeltaTable
    from deltalake.exceptions import TableNotFoundError

    try:
        table = DeltaTable(settings.table_path(name), storage_options=dict(settings.lake.storage_options))
    except TableNotFoundError:
        return None
    return Commit(str(table.metadata().id), table.version())
