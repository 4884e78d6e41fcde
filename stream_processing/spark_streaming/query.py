"""What every query of the stream application has in common: a name, a checkpoint, a pool and a trigger."""

from pyspark.sql import SparkSession
from pyspark.sql.streaming.query import StreamingQuery
from pyspark.sql.streaming.readwriter import DataStreamWriter

from config.settings import Settings


def start(spark: SparkSession, settings: Settings, writer: DataStreamWriter, name: str) -> StreamingQuery:
    """Start ``writer`` as query ``name``, in a scheduler pool of its own so that no query starves another."""
    spark.sparkContext.setLocalProperty("spark.scheduler.pool", name)
    trigger = f"{settings.stream.trigger_s} seconds"
    configured = writer.queryName(name).option("checkpointLocation", checkpoint(settings, name))
    return configured.trigger(processingTime=trigger).start()


def checkpoint(settings: Settings, name: str) -> str:
    """Where query ``name`` keeps its progress."""
    return f"{settings.checkpoints.rstrip('/')}/{name}"
