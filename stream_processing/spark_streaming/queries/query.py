"""What every query of the stream application has in common: a name, a checkpoint, a pool and a trigger."""

from typing import Any

from pyspark.sql import SparkSession
from pyspark.sql.streaming.query import StreamingQuery
from pyspark.sql.streaming.readwriter import DataStreamWriter

from tidemill.config.settings import Settings

BRONZE, SILVER = "bronze", "silver"
"""The work on all topics together; what is known of it is known of ``bronze/<topic>`` and ``silver/<topic>``."""


def start(
    spark: SparkSession, settings: Settings, writer: DataStreamWriter, name: str, every_s: float
) -> StreamingQuery:
    """Start ``writer`` as query ``name``, in a scheduler pool of its own so that no query starves another.

    A batch begins ``every_s`` seconds where there is news, or after the one before it.
    """
    return start_at(spark, writer, name, checkpoint(settings, name), every_s)


def start_at(spark: SparkSession, writer: DataStreamWriter, name: str, folder: str, every_s: float) -> StreamingQuery:
    """As :func:`start`, with the query's progress in ``folder``."""
    spark.sparkContext.setLocalProperty("spark.scheduler.pool", name)
    clear_unborn(spark, f"{folder}/offsets")
    configured = writer.queryName(name).option("checkpointLocation", folder)
    return configured.trigger(processingTime=f"{every_s} seconds").start()


def checkpoint(settings: Settings, name: str) -> str:
    """Where query ``name`` keeps its progress."""
    return f"{settings.checkpoints.rstrip('/')}/{name}"


def clear_unborn(spark: SparkSession, offsets: str) -> None:
    """Remove what a process left that was killed while it wrote the very first offsets of a query.

    Spark 4.2 refuses to start on a temporary file there, for ever. Where any batch was noted, nothing is removed; where
    none was, no batch has run, so there is nothing to lose.
    """
    context: Any = spark.sparkContext
    folder = context._jvm.org.apache.hadoop.fs.Path(offsets)
    files = folder.getFileSystem(context._jsc.hadoopConfiguration())
    left = [status.getPath() for status in files.listStatus(folder)] if files.exists(folder) else []
    if all(path.getName().startswith(".") for path in left):
        for path in left:
            files.delete(path, False)
