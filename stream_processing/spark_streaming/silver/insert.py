"""Insert-only MERGE: rows whose key the table has already are left alone."""

import logging
import time

from delta.tables import DeltaTable
from pyspark.sql import Column, DataFrame

from data_lake.commits import CONFLICTS
from data_lake.table import Table
from tidemill.config.settings import Settings

ATTEMPTS = 5
logger = logging.getLogger(__name__)


def insert_new(rows: DataFrame, table: Table, files: str, settings: Settings) -> None:
    """Insert those of ``rows`` (unique by ``table.keys``) that ``table`` lacks, in one commit.

    Columns that others added to the table are left alone: they are null in the rows inserted here. ``files`` is SQL
    over target ``t`` that narrows the search to the files that can hold the keys. A commit of maintenance in between
    makes the MERGE start again: it is idempotent.

    Raises:
        one of CONFLICTS: other commits came in between every time.
    """
    keys = " AND ".join(f"t.`{key}` = s.`{key}`" for key in table.keys)
    values: dict[str, str | Column] = {f"`{column.name}`": f"s.`{column.name}`" for column in table.columns}
    for attempt in range(1, ATTEMPTS + 1):
        target = DeltaTable.forPath(rows.sparkSession, table.path(settings)).alias("t")
        try:
            target.merge(rows.alias("s"), f"{files} AND {keys}").whenNotMatchedInsert(values=values).execute()
        except CONFLICTS as error:
            if attempt == ATTEMPTS:
                raise
            logger.warning("%s: another commit came first, trying again: %s", table.name, str(error).split("\n")[0])
            time.sleep(attempt)
        else:
            return
