"""One compact row for every row of bronze, silver and quarantine, in a DuckDB file that spills instead of growing."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pyarrow as pa
from deltalake import DeltaTable

from data_lake import tables
from data_lake.arrow import batches, source
from data_lake.delta_rs import open_table
from data_lake.quarantine.ledger import Ledger
from data_lake.reconciliation.content import content
from data_lake.reconciliation.differences import find_differences
from data_lake.reconciliation.judge import COLUMNS, Judge, Place
from data_lake.reconciliation.values import Compared, SentValues, digest_of
from data_lake.table import Table
from data_lake.tables import FIRST_GENERATION
from data_lake.topic_starts import TopicStart
from ingestion_layer.kafka.offsets import Offsets
from tidemill.config.sections import Stream
from tidemill.config.settings import Settings
from tidemill.contracts.checker import checker
from tidemill.contracts.registry import contract

MEMORY_LIMIT = "1GB"
ROWS_A_BATCH = 4096
SCHEMA = r"""
CREATE MACRO micros(text) AS epoch_us(TRY_CAST(regexp_replace(upper(text), '(\.\d{6})\d+', '\1') AS TIMESTAMPTZ));
CREATE MACRO of_generation(gen) AS CASE WHEN gen > 1 THEN 'generation ' || gen || ' ' ELSE '' END;
CREATE MACRO message(gen, part, number) AS of_generation(gen) || 'partition ' || part || ' offset ' || number;
CREATE MACRO messages(gen, part, number, last) AS
    of_generation(gen) || 'partition ' || part || ' offsets ' || number || ' to ' || last;
CREATE TABLE broker (generation INT, partition INT, first BIGINT, low BIGINT, high BIGINT);
CREATE TABLE accepted (generation INT, partition INT, first BIGINT, last BIGINT);
CREATE TABLE closed (generation INT, partition INT, rows BIGINT);
CREATE TABLE bronze_all (generation INT, partition INT, "offset" BIGINT, reason VARCHAR, source VARCHAR,
                         event_id VARCHAR, time BIGINT, sent UBIGINT);
CREATE TABLE quarantine_all (generation INT, partition INT, "offset" BIGINT, reason VARCHAR);
CREATE TABLE replayed (generation INT, partition INT, "offset" BIGINT, source VARCHAR, event_id VARCHAR,
                       new_generation INT, new_partition INT, new_offset BIGINT);
CREATE TABLE silver (source VARCHAR, event_id VARCHAR, time BIGINT, generation INT, partition INT, "offset" BIGINT,
                     held UBIGINT);
CREATE TABLE differences (generation INT, partition INT, "offset" BIGINT, changed VARCHAR[], lacking VARCHAR[]);
CREATE TABLE said (generation INT, partition INT, "offset" BIGINT, content VARCHAR);
CREATE TABLE lacking (generation INT, partition INT, first BIGINT, last BIGINT);
CREATE TABLE readable (generation INT, partition INT, "offset" BIGINT);
CREATE TABLE committed (partition INT, "offset" BIGINT);
CREATE TABLE uncommitted (partition INT, "offset" BIGINT);
CREATE TABLE aborted (generation INT, partition INT, "offset" BIGINT);
CREATE VIEW bronze AS SELECT b.* FROM bronze_all b JOIN broker USING (generation, partition) WHERE "offset" < high;
CREATE VIEW quarantine AS
    SELECT q.* FROM quarantine_all q JOIN broker USING (generation, partition) WHERE "offset" < high;
CREATE VIEW kept AS
    SELECT b.generation, b.partition, b."offset", b.time AS own_time, s.time AS kept_time, mine.content AS own_content,
           theirs.content AS kept_content, theirs."offset" IS NOT NULL AS is_told
    FROM bronze_all b JOIN silver s USING (source, event_id)
    LEFT JOIN said mine ON (b.generation, b.partition, b."offset") = (mine.generation, mine.partition, mine."offset")
    LEFT JOIN said theirs
           ON (s.generation, s.partition, s."offset") = (theirs.generation, theirs.partition, theirs."offset")
    WHERE b.reason IS NULL;
CREATE VIEW done AS
    SELECT b.generation, b.partition, b."offset"
    FROM bronze_all b JOIN replayed USING (generation, partition, "offset")
    SEMI JOIN silver s ON (s.source, s.event_id) = (replayed.source, replayed.event_id) WHERE b.reason IS NULL;
CREATE VIEW same AS SELECT * FROM kept WHERE own_time = kept_time AND (own_content = kept_content OR NOT is_told);
CREATE VIEW other AS SELECT * FROM kept WHERE own_time != kept_time OR (is_told AND own_content != kept_content);
"""
REPEATED = """
CREATE TABLE repeated AS SELECT generation, partition, "offset" FROM bronze_all
SEMI JOIN (SELECT source, event_id FROM bronze_all WHERE reason IS NULL GROUP BY ALL HAVING count(*) > 1)
    USING (source, event_id)
WHERE reason IS NULL
"""
BRONZE = """
INSERT INTO bronze_all
SELECT coalesce(generation, $first), partition, "offset",
       CASE WHEN time < $earliest OR time > epoch_us(sent_broker_time) + $skew THEN 'time_out_of_range' ELSE reason END,
       source, event_id, time, CASE WHEN reason IS NULL THEN {digest} END
FROM (SELECT *, micros(sent__time) AS time FROM judged)
"""
"""A valid event's time is held against its bounds too, which the contract does not know."""
SILVER = """
INSERT INTO silver
SELECT source, event_id, epoch_us(event_time), _generation, _partition, _offset, {digest} FROM rows
"""
REPLAYED = """
INSERT INTO replayed
SELECT generation, partition, "offset", source, event_id, new_generation, new_partition, new_offset FROM states
WHERE state IN ('sent', 'known')
"""
SAYING = """
SELECT coalesce(b.generation, ?) AS generation, partition, "offset", value
FROM batch b SEMI JOIN repeated r ON coalesce(b.generation, 1) = r.generation AND b.partition = r.partition
    AND b."offset" = r."offset"
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
            _index_replayed(connection, Ledger.read(settings, topic))
            _index_quarantine(connection, opened["quarantine"])
            silver_schema = pa.schema(opened["silver"].schema().to_arrow())
            judge = Judge(checker(topic), _unprocessable(connection), SentValues(contract(topic), silver_schema))
            _index_bronze(connection, opened["bronze"], judge, settings.stream)
            _index_silver(connection, opened["silver"], judge.values.compared())
            find_differences(connection, opened["bronze"], opened["silver"], judge)
            _index_said(connection, opened["bronze"])
            yield connection
        finally:
            connection.close()


def _tables(topic: str) -> dict[str, Table]:
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


def _unprocessable(connection: duckdb.DuckDBPyConnection) -> frozenset[Place]:
    """The messages that kill or hang who reads them: the proof leaves them alone too."""
    found = connection.execute(
        "SELECT generation, partition, \"offset\" FROM quarantine_all WHERE reason = 'unprocessable'"
    )
    return frozenset(found.fetchall())


def _index_bronze(connection: duckdb.DuckDBPyConnection, bronze: DeltaTable, judge: Judge, stream: Stream) -> None:
    """Each message with its verdict, and what identifies its event, and a digest of its values, when it is valid."""
    sql = BRONZE.format(digest=digest_of([column.sent for column in judge.values.compared()], "len(misfits)"))
    earliest = datetime.combine(stream.earliest_event, datetime.min.time(), UTC)
    bounds = {
        "earliest": round(earliest.timestamp()) * 1_000_000,
        "first": FIRST_GENERATION,
        "skew": round(stream.latest_skew_s * 1_000_000),
    }
    for batch in batches(bronze, COLUMNS, ROWS_A_BATCH):
        if not len(batch):
            continue
        connection.register("judged", judge.judged(batch))
        connection.execute(sql, bounds)
        connection.unregister("judged")


def _index_quarantine(connection: duckdb.DuckDBPyConnection, quarantine: DeltaTable) -> None:
    connection.register("rows", source(quarantine))
    connection.execute('INSERT INTO quarantine_all SELECT generation, partition, "offset", reason FROM rows')
    connection.unregister("rows")


def _index_silver(connection: duckdb.DuckDBPyConnection, silver: DeltaTable, compared: Sequence[Compared]) -> None:
    connection.register("rows", source(silver))
    connection.execute(SILVER.format(digest=digest_of([column.held for column in compared], "0")))
    connection.unregister("rows")


def _index_replayed(connection: duckdb.DuckDBPyConnection, ledger: Ledger) -> None:
    """The messages of quarantine whose event was sent, and where it was seen, or was in silver before."""
    ledger.look(connection)
    connection.execute(REPLAYED)


def _index_said(connection: duckdb.DuckDBPyConnection, bronze: DeltaTable) -> None:
    """What those messages say whose identity stands in bronze more than once."""
    connection.execute(REPEATED)
    for batch in batches(bronze, ["generation", "partition", "offset", "value"], ROWS_A_BATCH):
        connection.register("batch", pa.Table.from_batches([batch]))
        repeated = connection.sql(SAYING, params=[FIRST_GENERATION]).to_arrow_table()
        connection.unregister("batch")
        if len(repeated):
            said = pa.array([content(value) for value in repeated.column("value").to_pylist()], pa.string())
            connection.register("said_rows", repeated.drop_columns("value").append_column("content", said))
            connection.execute("INSERT INTO said SELECT * FROM said_rows")
            connection.unregister("said_rows")
