"""Writing a gold table: some dates or all, with the note of what they were made from, in one commit."""

from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from data_lake.commits import CONFLICTS
from data_lake.table import Table
from tidemill.config.errors import TransientError
from tidemill.config.settings import Settings

SKIPS_EMPTY = "spark.databricks.delta.skipRecordingEmptyCommits"


class ConcurrentRunError(TransientError):
    """Another run wrote the same table meanwhile; nothing of this one was committed."""


def replace(settings: Settings, table: Table, rows: DataFrame, where: str | None, note: str) -> int:
    """Replace the rows for which the SQL condition ``where`` holds (None: every row). Returns how many were written.

    The note is kept also where that changes no row.

    Raises:
        AnalysisException: a new row lies outside ``where``; nothing is written.
        ConcurrentRunError: the table changed while this was written.
    """
    written = Observation()
    observed = rows.select(*(c.name for c in table.columns)).observe(written, F.count(F.lit(1)).alias("rows"))
    writer = observed.write.format("delta").mode("overwrite").option("userMetadata", note)
    if where is not None:
        writer = writer.option("replaceWhere", where)
    try:
        with recording_empty_commits(rows.sparkSession):
            writer.save(table.path(settings))
    except CONFLICTS as error:
        raise ConcurrentRunError(f"{table.name} was changed by another run; run this again: {error}") from error
    return int(written.get["rows"])


@contextmanager
def recording_empty_commits(spark: SparkSession) -> Iterator[None]:
    """Delta leaves out a commit that changes nothing, and its note with it; here it does not."""
    spark.conf.set(SKIPS_EMPTY, "false")
    try:
        yield
    finally:
        spark.conf.unset(SKIPS_EMPTY)
