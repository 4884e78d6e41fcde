"""Rows of silver in DuckDB, each with the versions of the table that it is part of.

A file is part of the table from the version that added it to before the one that removed it, whatever the commits were:
appends, deletes, restores, merges of small files. So one table of rows is a snapshot at every version at once.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence

import duckdb
import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from pyarrow.fs import PyFileSystem

from data_lake.arrow import UnreadableTableError
from data_lake.delta_rs import open_table
from data_lake.log import CommitsGoneError, DataFile, data_files, file_system
from data_lake.tables import table
from feature_store.definitions import FeatureGroup
from feature_store.judge.aggregates import ORDERED, columns_read
from feature_store.judge.files import ROWS_A_BATCH, batches
from feature_store.judge.hashing import identity_hash
from feature_store.judge.spelling import column, name
from tidemill.config.settings import Settings


def load_events(
    connection: duckdb.DuckDBPyConnection, settings: Settings, group: FeatureGroup, asked: str, into: str
) -> None:
    """Make the table ``into``: the events of ``group`` that count for a row (``entity``, ``version``) of ``asked``.

    Its columns are ``entity``, ``time`` and ``learnt`` (microseconds), ``tie``, ``added`` and ``removed`` (versions),
    ``is_news``, and what features and filters read.

    Raises:
        CommitsGoneError: retention has removed what is needed.
        UnreadableTableError: the table has a feature of Delta that this does not read.
    """
    silver = table(group.source.table)
    delta, files = open_table(silver, settings), file_system(silver, settings)
    source = group.source
    identity = source.tie_breaker if ORDERED & {feature.function for feature in group.features} else ()
    kept = sorted({*columns_read(group), *identity})
    read = sorted({group.entity_column, source.event_time, source.known_time, *kept})
    _check(delta, read)
    schema = pa.schema([field for field in pa.schema(delta.schema().to_arrow()) if field.name in read])
    rows = _rows_of(group, kept, asked)
    connection.register("batch", schema.empty_table())
    connection.execute(f"CREATE TABLE {into} AS {rows.format(added=0, removed=0, is_news='FALSE')}")
    for file in _needed_files(connection, delta, files, asked):
        added = rows.format(added=file.added, removed=file.removed, is_news=file.is_news)
        for batch in batches(files, file.path, schema):
            connection.register("batch", batch)
            connection.execute(f"INSERT INTO {into} {added}")
    connection.unregister("batch")
    if identity:
        _order_equal_times(connection, into, identity)


def _needed_files(
    connection: duckdb.DuckDBPyConnection, delta: DeltaTable, files: PyFileSystem, asked: str
) -> Iterator[DataFile]:
    """The files that hold rows of a version asked for, and those that brought rows after the oldest of them."""
    versions = sorted(version for (version,) in connection.execute(f"SELECT DISTINCT version FROM {asked}").fetchall())
    if not versions:
        return
    try:
        found = data_files(delta, files, max(versions[0], 0))
    except DeltaError as error:
        raise CommitsGoneError(f"version {versions[0]} of {delta.table_uri} cannot be read: {error}") from error
    for file in found:
        asked_for = bisect_left(versions, file.added) < bisect_left(versions, file.removed)
        if asked_for or (file.is_news and file.added > versions[0]):
            yield file


def _check(delta: DeltaTable, read: Sequence[str]) -> None:
    metadata = delta.metadata()
    if metadata.configuration.get("delta.columnMapping.mode") not in {None, "none"}:
        raise UnreadableTableError(f"{delta.table_uri} maps column names: its files cannot be read by their columns")
    if partitions := [of for of in read if of in metadata.partition_columns]:
        raise UnreadableTableError(f"{delta.table_uri}: {', '.join(partitions)} is no column of its files")


def _rows_of(group: FeatureGroup, kept: Sequence[str], asked: str) -> str:
    """The events among the rows of the view ``batch``; what is in braces is known of each file."""
    source, entity = group.source, f"CAST({name(group.entity_column)} AS VARCHAR)"
    columns = "".join(f", {name(of)} AS {column(of)}" for of in kept)
    return (
        f"SELECT {entity} AS entity, epoch_us({name(source.event_time)}) AS time, "
        f"epoch_us({name(source.known_time)}) AS learnt, 0::UBIGINT AS tie, {{added}}::BIGINT AS added, "
        f"{{removed}}::BIGINT AS removed, {{is_news}} AS is_news{columns} FROM batch "
        f"WHERE {entity} IN (SELECT entity FROM {asked})"
    )


def _order_equal_times(connection: duckdb.DuckDBPyConnection, events: str, identity: Sequence[str]) -> None:
    """Give those events a tie that share entity and time with another."""
    of = ", ".join(column(part) for part in identity)
    tied = f"SELECT entity, time FROM {events} GROUP BY ALL HAVING count(DISTINCT row({of})) > 1"
    connection.execute(f"CREATE TEMP TABLE ties AS SELECT {of}, 0::UBIGINT AS tie FROM {events} LIMIT 0")
    identities = connection.cursor().execute(
        f"SELECT DISTINCT {of} FROM {events} SEMI JOIN ({tied}) USING (entity, time)"
    )
    while rows := identities.fetchmany(ROWS_A_BATCH):
        hashes = pa.array([identity_hash(row) for row in rows], pa.uint64())
        columns = [pa.array(values, pa.string()) for values in zip(*rows, strict=True)]
        connection.register("hashed", pa.table([*columns, hashes], names=[*map(column, identity), "tie"]))
        connection.execute("INSERT INTO ties SELECT * FROM hashed")
        connection.unregister("hashed")
    same = " AND ".join(f"e.{column(part)} IS NOT DISTINCT FROM t.{column(part)}" for part in identity)
    connection.execute(f"UPDATE {events} e SET tie = t.tie FROM ties t WHERE {same}")
    connection.execute("DROP TABLE ties")
