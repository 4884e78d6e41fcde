"""Real Delta tables, written with delta-rs."""

from pathlib import Path

from arro3.core import Array, DataType, Table
from deltalake import DeltaTable, write_deltalake


def commit(lake: Path, name: str) -> int:
    """Append a row to the table ``name``, making it when it is not there; returns the new version."""
    row = Table.from_pydict({"event_id": Array(["e1"], DataType.string())})
    write_deltalake(str(lake / name), row, mode="append")
    return DeltaTable(str(lake / name)).version()


def table_id(lake: Path, name: str) -> str:
    return str(DeltaTable(str(lake / name)).metadata().id)
