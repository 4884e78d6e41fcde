"""Which of the offsets that bronze lacks are messages: asked of the broker, at the isolation of the stream.

Offsets have gaps: the markers of transactions, aborted messages, what compaction removed. A reader does not get them;
what it gets and bronze lacks is missing.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping

import duckdb
import pyarrow as pa

from data_lake.reconciliation import equation

ReadOffsets = Callable[[int, int, int], Iterable[int]]
"""The offsets of the messages in a partition, from the second argument on, before the third."""

Lows = Callable[[], Mapping[int, int]]
"""The offset at which each partition begins at the broker, now."""

OFFSETS_A_BLOCK = 50_000
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
RAISE_LOW = """
UPDATE broker SET low = greatest(low, ?) WHERE partition = ? AND generation = (SELECT max(generation) FROM broker)
"""
KEEP = """
INSERT INTO readable SELECT l.generation, l.partition, number
FROM (SELECT ?::INT AS partition, number FROM read) r
ASOF JOIN lacking l ON r.partition = l.partition AND r.number >= l.first WHERE number <= last
"""


def explain_gaps(connection: duckdb.DuckDBPyConnection, read: ReadOffsets, lows: Lows) -> None:
    """Fill the tables ``lacking`` (ranges) and ``readable`` (of them, the offsets of messages).

    Retention goes on meanwhile: an offset that was not read may be of a message that was gone by then, unless the
    broker still begins at or before it afterwards. So ``lows`` are asked last, and are the ``low`` of table ``broker``.
    """
    connection.execute(f"INSERT INTO lacking {equation.LACKING}")
    for partition, first, end in connection.execute(SPANS).fetchall():
        insert_read(connection, KEEP, partition, read(partition, first, end))
    for partition, low in lows().items():
        connection.execute(RAISE_LOW, [low, partition])


def insert_read(connection: duckdb.DuckDBPyConnection, sql: str, partition: int, offsets: Iterable[int]) -> None:
    """Run ``sql`` on ``offsets`` that were read of ``partition``, its parameter: blocks of them are table ``read``."""
    for block in _blocks(offsets):
        connection.register("read", pa.table({"number": pa.array(block, pa.int64())}))
        connection.execute(sql, [partition])
        connection.unregister("read")


def _blocks(numbers: Iterable[int]) -> Iterator[list[int]]:
    remaining = iter(numbers)
    while block := list(itertools.islice(remaining, OFFSETS_A_BLOCK)):
        yield block
