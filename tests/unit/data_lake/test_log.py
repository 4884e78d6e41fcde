"""What a table's log says its files were, at every version, against Delta's own reading of that version."""

import shutil
from pathlib import Path

import orjson
import pyarrow as pa
import pytest
from deltalake import CommitProperties, DeltaTable, write_deltalake

from data_lake.log import (
    CommitsGoneError,
    commit,
    commit_digest,
    commits_since,
    data_files,
    file_system,
)
from data_lake.table import Table
from data_lake.tables import silver
from feature_store.judge.files import batches
from tidemill.config import Settings, load_settings

SCHEMA = pa.schema({"id": pa.string(), "month": pa.string(), "amount": pa.int64()})


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"TIDEMILL_HOME": str(tmp_path)})


@pytest.fixture
def changed(settings: Settings) -> Table:
    """A table that others have deleted from, updated, restored, merged, overwritten and compacted."""
    table = silver("shop.transaction.v1")
    path = table.path(settings)
    options = {"delta.enableChangeDataFeed": "true"}
    write_deltalake(path, rows(0, 10), partition_by=["month"], configuration=options)
    write_deltalake(path, rows(10, 20), mode="append")
    delta = DeltaTable(path)
    delta.delete("amount < 3")
    delta.update({"amount": "amount * 2"}, predicate="amount > 15")
    delta.restore(1)
    delta.optimize.compact()
    same = delta.merge(rows(15, 25), "t.id = s.id", source_alias="s", target_alias="t")
    same.when_not_matched_insert_all().execute()
    same = delta.merge(rows(0, 2), "t.id = s.id", source_alias="s", target_alias="t")
    same.when_matched_delete().execute()
    write_deltalake(path, rows(3, 6), mode="overwrite")
    write_deltalake(path, rows(30, 33), mode="append", commit_properties=CommitProperties({"by": "them"}))
    return table


def rows(first: int, end: int) -> pa.Table:
    numbers = range(first, end)
    made = {"id": [f"i{n}" for n in numbers], "month": [f"2024-0{n % 3 + 1} x" for n in numbers], "amount": [*numbers]}
    return pa.table(made, SCHEMA)


def test_the_files_of_each_version_hold_its_rows(changed: Table, settings: Settings) -> None:
    newest = DeltaTable(changed.path(settings))
    files = file_system(changed, settings)
    for first in (0, 3, newest.version()):
        found = data_files(DeltaTable(changed.path(settings)), files, first)
        for version in range(first, newest.version() + 1):
            held = [
                (row["id"], row["amount"])
                for file in found
                if file.added <= version < file.removed
                for batch in batches(files, file.path, SCHEMA)
                for row in batch.to_pylist()
            ]
            table = DeltaTable(changed.path(settings), version=version).to_pyarrow_table()
            assert sorted(held) == sorted((row["id"], row["amount"]) for row in table.to_pylist()), (first, version)


def test_only_what_inserts_and_nothing_else_has_no_removals(changed: Table, settings: Settings) -> None:
    commits = commits_since(changed, settings, -1, 100)
    assert commits is not None
    assert [(found.operation, found.has_removals) for found in commits] == [
        ("WRITE", False),
        ("WRITE", False),
        ("DELETE", True),
        ("UPDATE", True),
        ("RESTORE", True),
        ("OPTIMIZE", False),
        ("MERGE", True),  # inserts only, but by writing a file once more
        ("MERGE", True),
        ("WRITE", True),
        ("WRITE", False),
    ]
    assert [found.version for found in commits if not found.has_changes] == [5]
    assert commit(changed, settings, 2) == commits[2]


def test_news_are_rows_that_no_commit_could_have_moved(changed: Table, settings: Settings) -> None:
    found = data_files(DeltaTable(changed.path(settings)), file_system(changed, settings), 0)
    assert {file.added for file in found if file.is_news} == {1, 9}


def test_a_file_that_is_added_once_more_as_it_is_was_there_before(changed: Table, settings: Settings) -> None:
    """As `ANALYZE ... COMPUTE DELTA STATISTICS` does: Delta allows it, and no row changes."""
    delta = DeltaTable(changed.path(settings))
    last, log = delta.version(), Path(changed.path(settings)) / "_delta_log"
    adds = [orjson.loads(line) for line in (log / f"{last:020}.json").read_bytes().splitlines() if b'"add"' in line]
    again = [{"add": {**action["add"], "dataChange": False}} for action in adds if "add" in action]
    assert again
    lines = [orjson.dumps(action) for action in [{"commitInfo": {"operation": "COMPUTE STATS"}}, *again]]
    (log / f"{last + 1:020}.json").write_bytes(b"\n".join(lines))
    files = file_system(changed, settings)
    before = {file.path: file.added for file in data_files(DeltaTable(changed.path(settings), last), files, last)}
    after = {file.path: file.added for file in data_files(DeltaTable(changed.path(settings)), files, last)}
    assert after == before


def test_what_cannot_be_known_is_said(changed: Table, settings: Settings) -> None:
    assert commits_since(changed, settings, 0, 3) is None  # too many
    assert commits_since(changed, settings, 9, 3) is None  # none
    assert commit(changed, settings, 99) is None
    delta, log = DeltaTable(changed.path(settings)), Path(changed.path(settings)) / "_delta_log"
    (log / f"{9:020}.json").rename(log / "gone")
    with pytest.raises(CommitsGoneError, match=r"version 9 of .* is gone from its log"):
        data_files(delta, file_system(changed, settings), 3)


def test_a_commit_is_told_from_another_of_its_number_in_a_table_that_went_back_and_grew_again(
    settings: Settings, tmp_path: Path
) -> None:
    table = silver("shop.transaction.v1")
    path = Path(table.path(settings))
    write_deltalake(path, rows(0, 10))
    shutil.copytree(path, tmp_path / "backup")
    write_deltalake(path, rows(10, 20), mode="append")
    seen = [commit_digest(table, settings, version) for version in (0, 1)]
    assert None not in seen

    shutil.rmtree(path)
    shutil.copytree(tmp_path / "backup", path)
    write_deltalake(path, rows(20, 30), mode="append")
    write_deltalake(path, rows(30, 40), mode="append")
    assert commit_digest(table, settings, 0) == seen[0]
    assert commit_digest(table, settings, 1) not in (None, seen[1])
    (path / "_delta_log" / f"{1:020}.json").unlink()
    assert commit_digest(table, settings, 1) is None
    assert commit_digest(table, settings, 9) is None
