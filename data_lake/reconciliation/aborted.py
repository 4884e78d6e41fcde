"""Messages in bronze whose transaction was aborted: a lake that was once written at read_uncommitted has them."""

from collections.abc import Iterable

import duckdb

from data_lake.reconciliation.gaps import ReadOffsets, insert_read

BEFORE_HOLES = """
WITH counted AS (SELECT l.partition, l.first, count(*) AS messages FROM lacking l JOIN readable r
                 ON r.partition = l.partition AND r."offset" BETWEEN l.first AND l.last GROUP BY ALL),
     there AS (SELECT partition, low, l.first, last, last - greatest(l.first, low) + 1 AS offsets
               FROM lacking l JOIN broker USING (generation, partition) WHERE last >= low)
SELECT partition, low, max(last) + 1 FROM there LEFT JOIN counted USING (partition, first)
WHERE offsets > coalesce(messages, 0) GROUP BY partition, low ORDER BY partition
"""
"""From the broker's beginning to the last offset of no message: an aborted message has its marker behind it."""

UNREADABLE = """
SELECT b.generation, b.partition, b."offset" FROM bronze b ANTI JOIN committed USING (partition, "offset")
WHERE b.generation = (SELECT max(generation) FROM broker)
"""
SUSPECTS = f"""
SELECT min("offset"), max("offset") + 1 FROM ({UNREADABLE}) WHERE partition = ? AND "offset" >= ? AND "offset" < ?
HAVING count(*) > 0
"""  # noqa: S608
"""Where bronze has messages that a reader of committed ones does not get: aborted, or compacted away since."""

ABORTED = f'SELECT u.* FROM ({UNREADABLE}) u SEMI JOIN uncommitted USING (partition, "offset")'  # noqa: S608


def find_aborted(connection: duckdb.DuckDBPyConnection, committed: ReadOffsets, every: ReadOffsets) -> None:
    """Fill the table ``aborted`` with the messages in bronze that only a reader of uncommitted ones gets.

    Where bronze lacks nothing but messages there is no marker of a transaction, and nothing to read.
    """
    for partition, first, end in connection.execute(BEFORE_HOLES).fetchall():
        _note(connection, "committed", partition, committed(partition, first, end))
        for begin, stop in connection.execute(SUSPECTS, [partition, first, end]).fetchall():
            _note(connection, "uncommitted", partition, every(partition, begin, stop))
    connection.execute(f"INSERT INTO aborted {ABORTED}")


def _note(connection: duckdb.DuckDBPyConnection, table: str, partition: int, numbers: Iterable[int]) -> None:
    insert_read(connection, f"INSERT INTO {table} SELECT ?, number FROM read", partition, numbers)  # noqa: S608
