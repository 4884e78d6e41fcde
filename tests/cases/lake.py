"""What a table of the lake may have been through: rows put straight into it, old commits removed."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import write_deltalake

from data_lake.delta_rs import open_table
from data_lake.table import Table
from tidemill.config import Settings


def append_rows(settings: Settings, table: Table, rows: Iterable[Mapping[str, Any]]) -> None:
    """Append ``rows``, by column, in one commit: delta-rs takes milliseconds where Spark takes seconds."""
    delta = open_table(table, settings)
    write_deltalake(delta, pa.Table.from_pylist(list(rows), schema=pa.schema(delta.schema().to_arrow())), mode="append")


def forget_commits(settings: Settings, table: Table, number: int) -> None:
    """Remove the first ``number`` commits from the log, as Delta does when they are old: after a checkpoint."""
    open_table(table, settings).create_checkpoint()
    for version in range(number):
        (Path(table.path(settings)) / "_delta_log" / f"{version:020}.json").unlink()
