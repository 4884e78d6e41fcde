"""The actions of a Delta table's commits, as they stand in its log, and the files that each version is made of.

What a commit did is decided by its actions: an operation's name is only what its writer said of it.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import orjson
import pyarrow as pa
from deltalake import DeltaTable
from deltalake.fs import DeltaStorageHandler
from pyarrow.fs import PyFileSystem

from data_lake.arrow import UnreadableTableError
from data_lake.delta_rs import location, open_table
from data_lake.table import Table
from tidemill.config.errors import TerminalError
from tidemill.config.settings import Settings

NEVER_REMOVED = (1 << 63) - 1


class CommitsGoneError(TerminalError):
    """Retention has removed commits or files of a table that are needed to know what it was."""


@dataclass(frozen=True)
class Commit:
    """One commit. ``has_changes`` is whether rows changed, ``has_removals`` whether any row was removed or rewritten.

    A commit that has no removals has only inserted.
    """

    version: int
    operation: str
    has_changes: bool
    has_removals: bool


@dataclass(frozen=True)
class DataFile:
    """A file of rows, part of the table from version ``added`` to before ``removed``.

    ``is_news`` is whether its rows came with it: a commit that removes files too may have moved them.
    """

    path: str
    added: int
    removed: int
    is_news: bool


@dataclass(frozen=True)
class Added:
    """The files that the commits after some version added, up to ``version``; ``rows`` counts what their writers say.

    ``has_more`` when there are further commits; ``is_plain`` is false when the next one rewrote rows.
    """

    version: int
    paths: tuple[str, ...]
    bytes: int
    rows: int
    has_more: bool = False
    is_plain: bool = True


def file_system(table: Table, settings: Settings) -> PyFileSystem:
    """The folder of ``table``, wherever it lies."""
    return PyFileSystem(DeltaStorageHandler(location(table, settings), settings.lake.storage_options or None))


def commits_since(table: Table, settings: Settings, version: int, limit: int) -> list[Commit] | None:
    """The commits after ``version``, oldest first; None when there are more than ``limit``, or the next one is gone."""
    files = file_system(table, settings)
    found: list[Commit] = []
    for number in range(version + 1, version + limit + 2):
        actions = _read(files, number)
        if actions is None:
            return found or None
        found.append(_commit(number, actions))
    return None


def added_since(table: Table, settings: Settings, version: int, limit_bytes: int) -> Added:
    """What the commits after ``version`` added, in their order, up to ``limit_bytes`` of files but at least one commit.

    A commit that only removes rows adds nothing.
    """
    files = file_system(table, settings)
    paths: list[str] = []
    size = rows = 0
    while (actions := _read(files, version + 1)) is not None:
        added = [action["add"] for action in actions if "add" in action and _is_news(action["add"])]
        news = sum(int(add["size"]) for add in added)
        if paths and size + news > limit_bytes:
            return Added(version, tuple(paths), size, rows, has_more=True)
        if added and _commit(version + 1, actions).has_removals:
            return Added(version, tuple(paths), size, rows, is_plain=False)
        version += 1
        paths += [_path(add) for add in added]
        size += news
        rows += sum(_rows(add) for add in added)
    return Added(version, tuple(paths), size, rows)


def added_rows(table: Table, settings: Settings, version: int) -> int | None:
    """How many rows the commits after ``version`` added, as their writers say; what they rewrote is not counted.

    None when the next one is gone from the log: nobody can say.
    """
    files, rows, first = file_system(table, settings), 0, version
    while (actions := _read(files, version + 1)) is not None:
        version += 1
        added = sum(_rows(action["add"]) for action in actions if "add" in action and _is_news(action["add"]))
        if not _commit(version, actions).has_removals:
            rows += added
    if version == first and _content(files, first) is None and open_table(table, settings).version() > first:
        return None
    return rows


def commit(table: Table, settings: Settings, version: int) -> Commit | None:
    """The commit ``version``; None when it is gone or never was."""
    actions = _read(file_system(table, settings), version)
    return None if actions is None else _commit(version, actions)


def commit_digest(table: Table, settings: Settings, version: int) -> str | None:
    """What tells commit ``version`` from any other that could have its number; None when its file is gone."""
    content = _content(file_system(table, settings), version)
    return None if content is None else hashlib.sha256(content).hexdigest()


def data_files(delta: DeltaTable, files: PyFileSystem, first: int) -> list[DataFile]:
    """Every file that was part of the table at version ``first`` or later, up to the version ``delta`` is at.

    Raises:
        CommitsGoneError: a version in between is gone from the log.
        UnreadableTableError: rows of a file are deleted by a deletion vector.
    """
    last = delta.version()
    delta.load_as_version(first)
    paths = pa.table(delta.get_add_actions())["path"].to_pylist()
    added: dict[str, tuple[int, bool]] = {unquote(path): (first, False) for path in paths}
    closed: list[DataFile] = []
    for version in range(first + 1, last + 1):
        actions = _read(files, version)
        if actions is None:
            raise CommitsGoneError(f"version {version} of {delta.table_uri} is gone from its log")
        for path in _paths(actions, "remove"):
            if path in added:
                since, is_news = added.pop(path)
                closed.append(DataFile(path, since, version, is_news))
        is_news = not _commit(version, actions).has_removals
        for action in actions:
            if "add" in action:
                # One may be added once more as it is, for its statistics: it is part of the table since before.
                added.setdefault(_path(action["add"]), (version, is_news and _is_news(action["add"])))
    return [*closed, *(DataFile(path, since, NEVER_REMOVED, is_news) for path, (since, is_news) in added.items())]


def _commit(version: int, actions: list[Mapping[str, Any]]) -> Commit:
    changes = [name for action in actions for name in ("add", "remove") if name in action and _is_news(action[name])]
    rewritten = any("cdc" in action for action in actions)
    operation = next((action["commitInfo"].get("operation") for action in actions if "commitInfo" in action), None)
    return Commit(version, operation or "unknown", bool(changes) or rewritten, "remove" in changes or rewritten)


def _read(files: PyFileSystem, version: int) -> list[Mapping[str, Any]] | None:
    content = _content(files, version)
    return None if content is None else [orjson.loads(line) for line in content.splitlines() if line.strip()]


def _content(files: PyFileSystem, version: int) -> bytes | None:
    try:
        with files.open_input_stream(f"_delta_log/{version:020}.json") as stream:
            return bytes(stream.read())
    except FileNotFoundError:
        return None


def _paths(actions: list[Mapping[str, Any]], kind: str) -> Iterator[str]:
    return (_path(action[kind]) for action in actions if kind in action)


def _path(action: Mapping[str, Any]) -> str:
    if action.get("deletionVector"):
        raise UnreadableTableError(
            f"{action['path']} has a deletion vector: run `REORG TABLE ... APPLY (PURGE)` on its table, and set "
            "delta.enableDeletionVectors to false"
        )
    return unquote(action["path"])


def _rows(add: Mapping[str, Any]) -> int:
    """0 where the writer did not say."""
    return int(orjson.loads(add.get("stats") or "{}").get("numRecords", 0))


def _is_news(action: Mapping[str, Any]) -> bool:
    return bool(action.get("dataChange", True))
