"""Messages of quarantine with what was judged of them, in a DuckDB file that spills instead of growing."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pyarrow as pa

from data_lake import tables
from data_lake.arrow import batches
from data_lake.delta_rs import open_table
from data_lake.quarantine.judging import Judge, Judged
from data_lake.quarantine.selection import COLUMNS, Selection
from tidemill.config.settings import Settings

MEMORY_LIMIT = "1GB"
ROWS_A_BATCH = 1_000
SCHEMA = """
CREATE TABLE judged (generation INT, partition INT, "offset" BIGINT, verdict VARCHAR, detail VARCHAR, source VARCHAR,
                     event_id VARCHAR, time BIGINT, digest BIGINT, key BLOB, value BLOB)
"""
JUDGED = pa.schema(
    [
        ("generation", pa.int32()),
        ("partition", pa.int32()),
        ("offset", pa.int64()),
        ("verdict", pa.string()),
        ("detail", pa.string()),
        ("source", pa.string()),
        ("event_id", pa.string()),
        ("time", pa.int64()),
        ("digest", pa.int64()),
        ("key", pa.binary()),
        ("value", pa.binary()),
    ]
)
MESSAGE = ("key", "value", "headers")
OPEN = """
SELECT m.* FROM messages m
ANTI JOIN (FROM states WHERE state != 'released') USING (generation, partition, "offset")
"""
OnProgress = Callable[[int, int], None]
"""Takes how many messages are done, and of how many."""


@contextmanager
def workbench() -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with the empty table ``judged``; its file is gone with it."""
    with TemporaryDirectory(prefix="tidemill-quarantine-") as folder:
        connection = duckdb.connect(str(Path(folder) / "judged.duckdb"))
        try:
            connection.execute(f"SET memory_limit = '{MEMORY_LIMIT}'")
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute(SCHEMA)
            yield connection
        finally:
            connection.close()


def judge_all(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    selection: Selection,
    judge: Judge,
    on_progress: OnProgress,
) -> None:
    """Fill ``judged`` with the messages of ``selection`` that nobody has replayed or is replaying, by ``states``.

    Raises:
        MissingTableError: the topic has no quarantine, since the stream has never run.
    """
    delta = open_table(tables.quarantine(selection.topic), settings)
    total = sum(map(len, batches(delta, COLUMNS, ROWS_A_BATCH, selection.where)))
    done = 0
    for batch in batches(delta, [*COLUMNS, *MESSAGE], ROWS_A_BATCH, selection.where):
        connection.register("messages", pa.Table.from_batches([batch]))
        opened = connection.sql(OPEN).to_arrow_table()
        connection.unregister("messages")
        _keep(connection, map(judge.judged, opened.to_pylist()))
        done += len(batch)
        on_progress(done, total)


def _keep(connection: duckdb.DuckDBPyConnection, judged: Iterable[Judged]) -> None:
    rows = pa.Table.from_pylist([_row(message) for message in judged], schema=JUDGED)
    connection.register("batch", rows)
    connection.execute("INSERT INTO judged SELECT * FROM batch")
    connection.unregister("batch")


def _row(message: Judged) -> dict[str, Any]:
    origin, event = message.origin, message.event
    row = {
        "generation": origin.generation,
        "partition": origin.partition,
        "offset": origin.offset,
        "verdict": str(message.verdict),
        "detail": message.detail,
        "key": message.key,
        "value": message.value,
    }
    if event is None:
        return row
    return row | {"source": event.source, "event_id": event.id, "time": event.time, "digest": event.digest}
