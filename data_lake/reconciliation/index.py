"""One compact row for every row of bronze, silver and quarantine, in a DuckDB file that spills instead of growing."""

from collections.abc import Iterator, Mapping, Sequence
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
from data_lake.tables import FIRST_GENERATION
from data_lake.topic_starts import TopicStart
from ingestion_layer.kafka.offsets import Offsets

MEMORY_LIMIT = "1GB"
ROWS_A_BATCH = 4096
CHECKED = pa.schema([("reason", pa.string()), ("event_id", pa.string()), ("time", pa.string())])
SCHEMA = """
CREATE MACRO of_generation(gen) AS CASE WHEN gen > 1 THEN 'generation ' || gen || ' ' ELSE '' END;
CREATE MACRO message(gen, part, number) AS of_generation(gen) || 'partition ' || part || ' offset ' || number;
CREATE MACRO messages(gen, part, number, last) AS
    of_generation(gen) || 'partition ' || part || ' offsets ' || number || ' to ' || last;
CREATE TABLE broker (generation INT, partition INT, first BIGINT, low BIGINT, high BIGINT);
CREATE TABLE accepted (generation INT, partition INT, first BIGINT, last BIGINT);
CREATE TABLE closed (generation INT, partition INT, rows BIGINT);
CREATE TABLE bronze_all (generation INT, partition INT, "offset" BIGINT, reason VARCHAR, event_id VARCHAR,
                         event_date DATE);
CREATE TABLE quarantine_all (generation INT, partition INT, "offset" BIGINT, reason VARCHAR);
CREATE TABLE silver (event_id VARCHAR, event_date DATE, generation INT, partition INT, "offset" BIGINT);
CREATE TABLE lacking (generation INT, partition INT, first BIGINT, last BIGINT);
CREATE TABLE readable (generation INT, partition INT, "offset" BIGINT);
CREATE TABLE committed (partition INT, "offset" BIGINT);
CREATE TABLE uncommitted (partition INT, "offset" BIGINT);
CREATE TABLE aborted (generation INT, partition INT, "offset" BIGINT);
CREATE VIEW bronze AS SELECT b.* FROM bronze_all b JOIN broker USING (generation, partition) WHERE "offset" < high;
CREATE VIEW quarantine AS
    SELECT q.* FROM quarantine_all q JOIN broker USING (generation, partition) WHERE "offset" < high;
"""


@contextmanager
def topic_index(
    settings: Settings, topic: str, offsets: Mapping[int, Offsets], history: Sequence[TopicStart]
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with the tables ``broker``, ``bronze``, ``silver`` and ``quarantine`` of ``topic``.

    ``offsets`` are the broker's, taken before, and ``history`` is what is on record of the topic. Rows that arrived in
    the broker later are left out. Bronze is read at its newest version first, so silver and quarantine have at least
    what was made from it.
    """
    opened = {name: open_table(table, settings) for name, table in _tables(topic).items()}
    with TemporaryDirectory(prefix="tidemill-reconcile-") as folder:
        connection = duckdb.connect(str(Path(folder) / "index.duckdb"))
        try:
            connection.execute(f"SET memory_limit = '{MEMORY_LIMIT}'")
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute(SCHEMA)
            keeps_all = tables.bronze(topic).retention_days is None
            _index_broker(connection, offsets, history, keeps_all)
            _index_record(connection, history, keeps_all)
            _index_bronze(connection, opened["bronze"], checker(topic))
            _index_quarantine(connection, opened["quarantine"])
            _index_silver(connection, opened["silver"])
            yield connection
        finally:
            connection.close()


def _tables(topic: str) -> dict[str, tables.Table]:
    return {"bronze": tables.bronze(topic), "quarantine": tables.quarantine(topic), "silver": tables.silver(topic)}


def _index_broker(
    connection: duckdb.DuckDBPyConnection,
    offsets: Mapping[int, Offsets],
    history: Sequence[TopicStart],
    keeps_all: bool,
) -> None:
    """The present generation as the broker has it, from where the record says that bronze began to read it.

    What bronze has dropped by its own retention, it need not have from there on.
    """
    generation = history[-1].generation if history else FIRST_GENERATION
    starting = (start.offsets for start in history if keeps_all and start.generation == generation)
    begun = next(starting, None)
    rows = [
        (generation, partition, None if begun is None else begun.get(partition, 0), of.low, of.end)
        for partition, of in offsets.items()
    ]
    connection.executemany("INSERT INTO broker VALUES (?, ?, ?, ?, ?)", rows)


def _index_record(connection: duckdb.DuckDBPyConnection, history: Sequence[TopicStart], keeps_all: bool) -> None:
    """The losses that were accepted, and generations that ended as they were when they did."""
    for start in history:
        for lost in start.lost:
            row = [start.generation, lost.partition, lost.first, lost.last]
            connection.execute("INSERT INTO accepted VALUES (?, ?, ?, ?)", row)
        for partition, end in start.ended_offsets.items():
            ended, rows = start.generation - 1, start.ended_rows[partition]
            connection.execute("INSERT INTO broker VALUES (?, ?, 0, 0, ?)", [ended, partition, end])
            if keeps_all:
                connection.execute("INSERT INTO closed VALUES (?, ?, ?)", [ended, partition, rows])


def _index_bronze(connection: duckdb.DuckDBPyConnection, bronze: DeltaTable, check: Checker) -> None:
    """Each message with the contract's verdict, and the key of its event when it is valid."""
    for batch in batches(bronze, ["generation", "partition", "offset", "value"], ROWS_A_BATCH):
        checked = pa.Table.from_pylist([_check(check, value) for value in batch.column("value").to_pylist()], CHECKED)
        for name in ("generation", "partition", "offset"):
            checked = checked.append_column(name, batch.column(name))
        connection.register("checked", checked)
        connection.execute(
            'INSERT INTO bronze_all SELECT coalesce(generation, ?), partition, "offset", reason, event_id,'
            " CAST(TRY_CAST(upper(time) AS TIMESTAMPTZ) AS DATE) FROM checked",
            [FIRST_GENERATION],
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
    connection.execute('INSERT INTO quarantine_all SELECT generation, partition, "offset", reason FROM rows')
    connection.unregister("rows")


def _index_silver(connection: duckdb.DuckDBPyConnection, silver: DeltaTable) -> None:
    connection.register("rows", source(silver))
    connection.execute("INSERT INTO silver SELECT event_id, event_date, _generation, _partition, _offset FROM rows")
    connection.unregister("rows")
