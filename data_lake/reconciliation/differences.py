"""Which columns of silver hold another value than the message in bronze: worked out for the rows that differ only."""

import duckdb
import pyarrow as pa
from deltalake import DeltaTable

from data_lake.arrow import batches, source
from data_lake.reconciliation.judge import COLUMNS, Judge
from data_lake.reconciliation.values import Compared
from data_lake.tables import FIRST_GENERATION

ROWS_A_BATCH = 65_536
VALUE = "value_"
"""Before the name of a property, which may be that of a column of the place."""
DIFFERING = """
CREATE TABLE differing AS SELECT DISTINCT generation, partition, "offset"
FROM bronze_all JOIN silver USING (generation, partition, "offset") WHERE sent != held
"""
OF_BRONZE = """
SELECT b.* FROM batch b SEMI JOIN differing d
    ON coalesce(b.generation, ?) = d.generation AND b.partition = d.partition AND b."offset" = d."offset"
"""
OF_SILVER = """
CREATE TABLE held AS SELECT _generation AS generation, _partition AS partition, _offset AS "offset", {columns}
FROM rows r SEMI JOIN differing d
    ON r._generation = d.generation AND r._partition = d.partition AND r._offset = d."offset"
"""
SENT = """
SELECT coalesce(generation, {first}) AS generation, partition, "offset", misfits, {columns}
FROM (SELECT *, micros(sent__time) AS time FROM judged)
"""
DIFFERENCES = """
INSERT INTO differences
SELECT generation, partition, "offset", list_filter([{changed}], lambda name: name IS NOT NULL),
       list_filter([{lacking}], lambda name: name IS NOT NULL)
FROM held h JOIN sent s USING (generation, partition, "offset")
"""


def find_differences(
    connection: duckdb.DuckDBPyConnection, bronze: DeltaTable, silver: DeltaTable, judge: Judge
) -> None:
    """Fill the table ``differences``: of rows whose digests differ, the columns that do."""
    connection.execute(DIFFERING)
    if not connection.execute("FROM differing LIMIT 1").fetchall():
        return
    compared = judge.values.compared()
    connection.register("rows", source(silver))
    connection.execute(OF_SILVER.format(columns=_named(compared, "held")))
    connection.unregister("rows")
    sent = SENT.format(first=FIRST_GENERATION, columns=_named(compared, "sent"))
    for batch in batches(bronze, COLUMNS, ROWS_A_BATCH):
        connection.register("batch", pa.Table.from_batches([batch]))
        messages = connection.sql(OF_BRONZE, params=[FIRST_GENERATION]).to_arrow_table()
        connection.unregister("batch")
        if not len(messages):
            continue
        connection.register("judged", judge.judged(messages))
        connection.execute(f"CREATE TABLE IF NOT EXISTS sent AS {sent} LIMIT 0")
        connection.execute(f"INSERT INTO sent {sent}")
        connection.unregister("judged")
    changed, lacking = (", ".join(map(condition, compared)) for condition in (_changed, _lacking))
    connection.execute(DIFFERENCES.format(changed=changed, lacking=lacking))


def _named(compared: list[Compared], side: str) -> str:
    return ", ".join(f'{getattr(column, side)} AS "{VALUE}{column.name}"' for column in compared)


def _changed(column: Compared) -> str:
    held, sent = _sides(column)
    differs = f"{held} IS DISTINCT FROM {sent} AND NOT ({column.may_lack} AND {held} IS NULL)"
    return f"CASE WHEN ({differs}) OR list_contains(misfits, '{column.name}') THEN '{column.name}' END"


def _lacking(column: Compared) -> str:
    """As after a contract was widened: what was taken before has null, and the message has the value."""
    held, sent = _sides(column)
    return f"CASE WHEN {column.may_lack} AND {held} IS NULL AND {sent} IS NOT NULL THEN '{column.name}' END"


def _sides(column: Compared) -> tuple[str, str]:
    return f'h."{VALUE}{column.name}"', f's."{VALUE}{column.name}"'
