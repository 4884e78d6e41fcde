"""Which of the offsets that bronze lacks are messages: asked of the broker, at the isolation of the stream.

Offsets have gaps: the markers of transactions, aborted messages, what compaction removed. A reader does not get them;
what it gets and bronze lacks is missing.
"""

from collections.abc import Callable, Iterable, Iterator

import duckdb
import pyarrow as pa

from data_lake.reconciliation import equation

ReadOffsets = Callable[[int, int, int], Iterable[int]]
"""The offsets of the messages in a partition, from the second argument on, before the third."""

READ_ON = 1_000
"""Ranges that are no farther apart are read in one go: to skip some messages costs less than to begin anew."""

SPANS = f"""
WITH there AS (SELECT partition, greatest(l.first, low) AS first, last
               FROM lacking l JOIN broker USING (generation, partition) WHERE last >= low),
     steps AS (SELECT *, first - lag(last, 1, -{READ_ON} * 2) OVER (PARTITION BY partition ORDER BY first) > {READ_ON}
                         AS is_far FROM there),
     spans AS (SELECT *, sum(is_far::INT) OVER (PARTITION BY partition ORDER BY first) AS span FROM steps)
SELECT partition, min(first), max(last) + 1 FROM spans GROUP BY partition, span ORDER BY partition, span
"""  # noqa: S608
KEEP = """
INSERT INTO readable SELECT l.generation, l.partition, number
FROM (SELECT ?::INT AS partition, number FROM read) r
ASOF JOIN lacking l ON r.partition = l.partition AND r.number >= l.first WHERE number <= last
"""

BEFORE_HOLES = """
WITH holes AS (SELECT l.partition, max(greatest(last, low) + 1) AS end FROM lacking l
               JOIN broker USING (generation, partition) LEFT JOIN
               (SELECT l.partition, l.first, count(*) AS messages FROM lacking l JOIN readable r
                ON r.partition = l.partition AND r."offset" BETWEEN l.first AND l.last GROUP BY ALL) m
               ON m.partition = l.partition AND m.first = l.first
               WHERE last >= low AND last - greatest(l.first, low) + 1 > coalesce(messages, 0) GROUP BY l.partition)
SELECT partition, low, "end" FROM holes JOIN broker USING (partition)
WHERE generation = (SELECT max(generation) FROM broker) ORDER BY partition
"""
UNREADABLE = """
SELECT b.generation, b.partition, b."offset" FROM bronze b ANTI JOIN committed USING (partition, "offset")
WHERE b.generation = (SELECT max(generation) FROM broker)
"""
SUSPECTS = f"""
SELECT min("offset"), max("offset") + 1 FROM ({UNREADABLE}) WHERE partition = ? AND "offset" >= ? AND "offset" < ?
HAVING count(*) > 0
"""  # noqa: S608
ABORTED = f'SELECT u.* FROM ({UNREADABLE}) u SEMI JOIN uncommitted USING (partition, "offset")'  # noqa: S608


def explain_gaps(connection: duckdb.DuckDBPyConnection, read: ReadOffsets) -> None:
    """Fill the tables ``lacking`` (ranges) and ``readable`` (of them, the offsets of messages)."""
    connection.execute(f"INSERT INTO lacking {equation.LACKING}")
    for partition, first, end in connection.execute(SPANS).fetchall():
        for numbers in _blocks(read(partition, first, end)):
            _keep(connection, partition, numbers)


def find_aborted(connection: duckdb.DuckDBPyConnection, committed: ReadOffsets, every: ReadOffsets) -> None:
    """Fill the table ``aborted`` with the messages in bronze that only a reader of uncommitted ones gets.

    Where bronze lacks nothing but messages there is no marker of a transaction, and nothing to read.
    """
    for partition, first, end in connection.execute(BEFORE_HOLES).fetchall():
        _into(connection, "committed", partition, committed(partition, first, end))
        for begin, stop in connection.execute(SUSPECTS, [partition, first, end]).fetchall():
            _into(connection, "uncommitted", partition, every(partition, begin, stop))
    connection.execute(f"INSERT INTO aborted {ABORTED}")


def _into(connection: duckdb.DuckDBPyConnection, table: str, partition: int, numbers: Iterable[int]) -> None:
    for block in _blocks(numbers):
        connection.register("read", pa.table({"number": pa.array(block, pa.int64())}))
        connection.execute(f"INSERT INTO {table} SELECT ?, number FROM read", [partition])  # noqa: S608
        connection.unregister("read")


def _blocks(numbers: Iterable[int], size: int = 50_000) -> Iterator[list[int]]:
    block: list[int] = []
    for number in numbers:
        block.append(number)
        if len(block) == size:
            yield block
            block = []
    if block:
        yield block


def _keep(connection: duckdb.DuckDBPyConnection, partition: int, numbers: list[int]) -> None:
    block = pa.table({"number": pa.array(numbers, pa.int64())})
    connection.register("read", block)
    connection.execute(KEEP, [partition])
    connection.unregister("read")
