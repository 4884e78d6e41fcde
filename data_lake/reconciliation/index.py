"""One compact row for every row of bronze, silver and quarantine, in a DuckDB file that spills instead of growing."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import orjson
import pyarrow as pa
from deltalake import DeltaTable

from config.settings import Settings
from contracts.checker import Checker, checker
from data_lake import tables
from data_lake.arrow import batches, source
from data_lake.delta_rs import open_table
from data_lake.reconciliation.broker import Offsets

MEMORY_LIMIT = "1GB"
ROWS_A_BATCH = 4096
CHECKED = pa.schema([("reason", pa.string()), ("event_id", pa.string()), ("time", pa.string())])
SCHEMA = """
CREATE MACRO message(part, number) AS 'partition ' || part || ' offset ' || number;
CREATE TABLE broker (partition INT, low BIGINT, high BIGINT);
CREATE TABLE bronze_all (partition INT, "offset" BIGINT, reason VARCHAR, event_id VARCHAR, event_date DATE);
CREATE TABLE quarantine_all (partition INT, "offset" BIGINT, reason VARCHAR);
CREATE TABLE silver (event_id VARCHAR, event_date DATE, partition INT, "offset" BIGINT);
CREATE VIEW bronze AS SELECT b.* FROM bronze_all b JOIN broker USING (partition) WHERE "offset" < high;
CREATE VIEW quarantine AS SELECT q.* FROM quarantine_all q JOIN broker USING (partition) WHERE "offset" < high;
"""


@contextmanager
def topic_index(settings: Settings, topic: str, offsets: Mapping[int, Offsets]) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with the tables ``broker``, ``bronze``, ``silver`` and ``quarantine`` of ``topic``.

    ``offsets`` are the broker's, taken before; rows that arrived in the broker later are left out. Bronze is read at
    its newest version first, so silver and quarantine have at least what was made from it.
    """
    opened = {name: open_table(table, settings) for name, table in _tables(topic).items()}
    with TemporaryDirectory(prefix="tidemill-reconcile-") as folder:
        connection = duckdb.connect(str(Path(folder) / "index.duckdb"))
        try:
            connection.execute(f"SET memory_limit = '{MEMORY_LIMIT}'")
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute(SCHEMA)
            _index_broker(connection, offsets)
            _index_bronze(connection, opened["bronze"], checker(topic))
            _index_quarantine(connection, opened["quarantine"])
            _index_silver(connection, opened["silver"])
            yield connection
        finally:
            connection.close()


def _tables(topic: str) -> dict[str, tables.Table]:
    return {"bronze": tables.bronze(topic), "quarantine": tables.quarantine(topic), "silver": tables.silver(topic)}


def _index_broker(connection: duckdb.DuckDBPyConnection, offsets: Mapping[int, Offsets]) -> None:
    rows = [(partition, of.low, of.high) for partition, of in offsets.items()]
    connection.executemany("INSERT INTO broker VALUES (?, ?, ?)", rows)


def _index_bronze(connection: duckdb.DuckDBPyConnection, bronze: DeltaTable, check: Checker) -> None:
    """Each message with the contract's verdict, and the key of its event when it is valid."""
    for batch in batches(bronze, ["partition", "offset", "value"], ROWS_A_BATCH):
        checked = pa.Table.from_pylist([_check(check, value) for value in batch.column("value").to_pylist()], CHECKED)
        for name in ("partition", "offset"):
            checked = checked.append_column(name, batch.column(name))
        connection.register("checked", checked)
        connection.execute(
            'INSERT INTO bronze_all SELECT partition, "offset", reason, event_id,'
            " CAST(TRY_CAST(upper(time) AS TIMESTAMPTZ) AS DATE) FROM checked"
        )
        connection.unregister("checked")


def _check(check: Checker, value: bytes | None) -> dict[str, Any]:
    rejection = check.check_bytes(value)
    if rejection is not None or value is None:
        return {"reason": str(rejection.reason) if rejection else None}
    event = orjson.loads(value)
    return {"event_id": event["id"], "time": event["time"]}


def _index_quarantine(connection: duckdb.DuckDBPyConnection, quarantine: DeltaTable) -> None:
    connection.register("rows", source(quarantine))
    connection.execute('INSERT INTO quarantine_all SELECT partition, "offset", reason FROM rows')
    connection.unregister("rows")


def _index_silver(connection: duckdb.DuckDBPyConnection, silver: DeltaTable) -> None:
    connection.register("rows", source(silver))
    connection.execute("INSERT INTO silver SELECT event_id, event_date, _partition, _offset FROM rows")
    connection.unregister("rows")
