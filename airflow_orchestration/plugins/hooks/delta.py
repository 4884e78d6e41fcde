"""Where a Delta table stands, read with delta-rs: no JVM."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tidemill.config.settings import Settings


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


def moved_on(
    handled: Mapping[str, Commit], commits: Mapping[str, Commit], present: Mapping[str, Commit]
) -> dict[str, Commit]:
    """``handled`` with those of ``commits`` that come after it; a table not among them stays as it is.

    Of one table the higher version is later. Of two that had one name, the later is the one that is there: ``present``
    are the newest commits of the tables.
    """
    later = {
        name: commit for name, commit in commits.items() if _is_later(commit, handled.get(name), present.get(name))
    }
    return dict(handled) | later


def _is_later(commit: Commit, handled: Commit | None, present: Commit | None) -> bool:
    if handled is None:
        return True
    if commit.table_id == handled.table_id:
        return commit.version > handled.version
    return present is not None and present.table_id == commit.table_id


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
