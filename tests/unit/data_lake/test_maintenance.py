import os
import random
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from data_lake import maintenance, tables
from data_lake.maintenance import RetentionError, SmallFiles, maintain
from tidemill.config import Settings

DAYS = [date(2024, 5, day) for day in (1, 2, 3, 4)]


@pytest.fixture
def quarantine(settings: Settings) -> DeltaTable:
    """One row for each of four days, in a commit each."""
    path = tables.quarantine("shop.click.v1").path(settings)
    for offset, day in enumerate(DAYS):
        write_deltalake(
            path, pa.table({"offset": [offset], "ingest_date": [day]}), mode="append", partition_by=["ingest_date"]
        )
    return DeltaTable(path)


def offsets(table: DeltaTable) -> list[int]:
    return sorted(DeltaTable(table.table_uri).to_pyarrow_table().column("offset").to_pylist())


def test_rows_past_the_retention_go_and_the_last_day_kept_stays(quarantine: DeltaTable) -> None:
    declared = replace(tables.quarantine("shop.click.v1"), retention_days=2)
    done = maintain(declared, quarantine, vacuum_hours=168, today=date(2024, 5, 5))
    assert done.rows_expired == 2
    assert offsets(quarantine) == [2, 3]


def test_without_a_retention_every_row_stays(quarantine: DeltaTable) -> None:
    done = maintain(tables.quarantine("shop.click.v1"), quarantine, vacuum_hours=168, today=date(2030, 1, 1))
    assert done.rows_expired == 0
    assert offsets(quarantine) == [0, 1, 2, 3]


def test_a_retention_that_the_layout_cannot_carry_out_is_refused(quarantine: DeltaTable) -> None:
    declared = replace(tables.silver("shop.click.v1"), retention_days=2)
    with pytest.raises(RetentionError, match="silver/clicks: retention_days needs a table partitioned by ingest_date"):
        maintain(declared, quarantine, vacuum_hours=168)


def test_files_younger_than_the_limit_are_not_removed(quarantine: DeltaTable) -> None:
    before = set(Path(quarantine.table_uri.removeprefix("file://")).rglob("*.parquet"))
    maintain(tables.quarantine("shop.click.v1"), quarantine, vacuum_hours=168)
    assert before <= set(Path(quarantine.table_uri.removeprefix("file://")).rglob("*.parquet"))


def age(table: DeltaTable, days: int) -> None:
    """All that was written so far was written, and removed, so many days earlier."""
    folder, seconds = Path(table.table_uri.removeprefix("file://")), days * 86_400
    times = {"add": "modificationTime", "remove": "deletionTimestamp", "commitInfo": "timestamp"}
    for log in (folder / "_delta_log").glob("*.json"):
        actions = [orjson.loads(line) for line in log.read_bytes().splitlines()]
        for action in actions:
            for kind, time in times.items():
                if kind in action:
                    action[kind][time] -= seconds * 1000
        log.write_bytes(b"\n".join(map(orjson.dumps, actions)))
    for file in [*folder.rglob("*.parquet"), *folder.rglob("*.json")]:
        written = file.stat().st_mtime - seconds
        os.utime(file, (written, written))


def test_files_that_no_version_has_had_for_long_go_and_no_other(settings: Settings) -> None:
    declared, day = tables.quarantine("shop.click.v1"), [DAYS[0]]
    path = Path(declared.path(settings))

    def write(offset: int) -> None:
        rows = pa.table({"offset": [offset], "ingest_date": day})
        write_deltalake(path, rows, mode="append", partition_by=["ingest_date"])

    for offset in range(3):
        write(offset)
    long_removed = set(path.rglob("*.parquet"))
    DeltaTable(path).optimize.compact()
    orphan = next(iter(long_removed)).with_name("part-killed.parquet")
    orphan.write_bytes(b"what a killed writer left")
    age(DeltaTable(path), days=10)
    write(3)
    DeltaTable(path).create_checkpoint()  # it has no word of files that were removed so long ago
    just_removed = set(path.glob("ingest_date=*/*.parquet")) - long_removed - {orphan}
    young = orphan.with_name("part-being-written.parquet")
    young.write_bytes(b"what a writer has not committed yet")

    done = maintain(declared, DeltaTable(path), vacuum_hours=168)

    assert (done.files_merged, done.files_removed) == (2, 4)
    left = set(path.glob("ingest_date=*/*.parquet"))
    assert not left & {*long_removed, orphan}
    assert {*just_removed, young} <= left
    assert offsets(DeltaTable(path)) == [0, 1, 2, 3]


def test_deletion_vectors_are_not_taken_for_files_of_no_version(quarantine: DeltaTable) -> None:
    path = Path(quarantine.table_uri.removeprefix("file://"))
    protocol = {"minReaderVersion": 3, "minWriterVersion": 7}
    protocol |= {name: ["deletionVectors"] for name in ("readerFeatures", "writerFeatures")}
    (path / "_delta_log" / f"{len(DAYS):020}.json").write_bytes(orjson.dumps({"protocol": protocol}))
    vector = path / "deletion_vector_61d16c75-6994-46b7-a15b-8b538852e50e.bin"
    vector.write_bytes(b"which rows are deleted")
    os.utime(vector, (0, 0))
    maintain(tables.quarantine("shop.click.v1"), DeltaTable(path), vacuum_hours=168)
    assert vector.exists()


def test_a_checkpoint_is_of_the_log_as_it_lies_also_when_another_took_the_version_of_the_merge(
    quarantine: DeltaTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What two processes can do to each other where Hadoop's client has no atomic "create if absent"."""
    path, other = Path(quarantine.table_uri.removeprefix("file://")), tmp_path / "other"
    write_deltalake(path, pa.table({"offset": [4], "ingest_date": [DAYS[0]]}), mode="append")
    shutil.copytree(path, other)
    write_deltalake(other, pa.table({"offset": [5], "ingest_date": [DAYS[0]]}), mode="append")
    merge = maintenance._compact

    def merged_in_vain(*arguments: Any) -> tuple[int, int]:
        done = merge(*arguments)
        shutil.copytree(other, path, dirs_exist_ok=True)
        return done

    monkeypatch.setattr(maintenance, "_compact", merged_in_vain)
    assert maintain(tables.quarantine("shop.click.v1"), DeltaTable(path), vacuum_hours=168).files_merged == 2
    assert list(path.glob("_delta_log/*5.checkpoint.parquet"))
    assert offsets(quarantine) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("size", [30, 3_000], ids=["tiny", "small"])
def test_a_byte_is_rewritten_a_few_times_however_many_commits_come(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(maintenance, "MANY", 10)
    monkeypatch.setattr(maintenance, "TIERS_BYTES", (8_000, 40_000, 200_000))
    declared, rng = tables.quarantine("shop.click.v1"), random.Random(1)
    path = declared.path(settings)
    small, delta = SmallFiles(declared), None
    for _ in range(300):
        rows = pa.table({"value": [rng.randbytes(size)], "ingest_date": [DAYS[0]]})
        write_deltalake(delta or path, rows, mode="append", partition_by=["ingest_date"])
        delta = delta or DeltaTable(path)
        small.committed(delta)
    assert delta is not None
    merged = {file for commit in delta.history() if commit["operation"] == "OPTIMIZE" for file in [commit["version"]]}
    written = {"OPTIMIZE": 0, "WRITE": 0}
    for log in Path(path, "_delta_log").glob("*.json"):
        kind = "OPTIMIZE" if int(log.stem) in merged else "WRITE"
        actions = [orjson.loads(line) for line in log.read_bytes().splitlines()]
        written[kind] += sum(action["add"]["size"] for action in actions if "add" in action)
    assert 0 < written["OPTIMIZE"] <= 9 * written["WRITE"]
    assert len(delta.file_uris()) < 50
    assert DeltaTable(path).to_pyarrow_table().num_rows == 300
