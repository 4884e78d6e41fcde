"""Silver's transactions in DuckDB, each row with the versions of the table that it is part of.

Read from the text of the table's log and from its Parquet files; nothing of the platform is asked.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import duckdb

NEVER = 1 << 62
TABLES = """
SET TimeZone = 'UTC';
SET threads = 1;
CREATE TABLE files (file INTEGER, path VARCHAR, added BIGINT, removed BIGINT);
CREATE TABLE events (
  file INTEGER, customer VARCHAR, kind VARCHAR, order_id VARCHAR, product_id VARCHAR, amount DOUBLE, time BIGINT,
  learnt BIGINT, identity VARCHAR
);
"""
ROWS = """
INSERT INTO events
SELECT ?, customer_id, kind, order_id, product_id, CAST(quantity * unit_price AS DOUBLE),
  epoch_us(CAST(event_time AS TIMESTAMP)), epoch_us(CAST(ingested_at AS TIMESTAMP)), source || ' ' || event_id
FROM read_parquet(?, hive_partitioning = false) WHERE customer_id IS NOT NULL
"""
CUSTOMERS = "SELECT DISTINCT customer FROM events JOIN files USING (file) WHERE removed = ?"


class UnjudgedTableError(Exception):
    """The table has something that this does not read, so nothing can be said of its versions."""


class Silver:
    """All versions of the table in ``folder`` at once; ``last_change`` is the newest that changed a row."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._next = 0
        self._files = 0
        self.last_change = -1
        self.connection = duckdb.connect()
        self.connection.execute(TABLES)

    def read(self) -> None:
        """Take in the commits that came since."""
        while (commit := self._folder / "_delta_log" / f"{self._next:020}.json").exists():
            actions = [json.loads(line) for line in commit.read_bytes().splitlines() if line]
            for action in actions:
                self._take(action)
            self._next += 1

    def customers(self) -> list[str]:
        """Those of whom the table has an event now."""
        return sorted(name for (name,) in self.connection.execute(CUSTOMERS, [NEVER]).fetchall())

    def _take(self, action: Mapping[str, Any]) -> None:
        if removed := action.get("remove"):
            path = unquote(removed["path"])
            self.connection.execute(
                "UPDATE files SET removed = ? WHERE path = ? AND removed = ?", [self._next, path, NEVER]
            )
            self._note_change(removed)
        if added := action.get("add"):
            if added.get("deletionVector"):
                raise UnjudgedTableError(f"{self._folder} has deletion vectors")
            self._add(unquote(added["path"]))
            self._note_change(added)

    def _add(self, path: str) -> None:
        self._files += 1
        self.connection.execute("INSERT INTO files VALUES (?, ?, ?, ?)", [self._files, path, self._next, NEVER])
        self.connection.execute(ROWS, [self._files, str(self._folder / path)])

    def _note_change(self, action: Mapping[str, Any]) -> None:
        if action.get("dataChange", True):
            self.last_change = self._next
