from dataclasses import replace
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from data_lake import tables
from data_lake.maintenance import RetentionError, maintain
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
