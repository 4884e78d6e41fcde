"""Bronze to silver and quarantine, in micro-batches that can be run again without changing anything."""

from collections.abc import Callable

from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from config.settings import Settings
from contracts.registry import Contract, contract
from data_lake import tables
from stream_processing.spark_streaming.insert import insert_new
from stream_processing.spark_streaming.parse import TimeRule, parse
from stream_processing.spark_streaming.query import start
from stream_processing.spark_streaming.split import accepted, rejected
from stream_processing.spark_streaming.summary import summarise


def start_silver(spark: SparkSession, settings: Settings, topic: str) -> StreamingQuery:
    """The running query ``silver/<topic>``."""
    writer = read_bronze(spark, settings, topic).writeStream.foreachBatch(batch_writer(settings, topic))
    return start(spark, settings, writer, f"silver/{topic}", settings.stream.poll_s)


def read_bronze(spark: SparkSession, settings: Settings, topic: str) -> DataFrame:
    """Bronze's declared columns as a stream; rows that retention deletes are no news to silver."""
    options = {
        "maxFilesPerTrigger": str(settings.stream.max_files_per_trigger),
        "maxBytesPerTrigger": f"{settings.stream.max_bytes_per_trigger_mb}m",
        "ignoreDeletes": "true",
    }
    bronze = tables.bronze(topic)
    rows = spark.readStream.format("delta").options(**options).load(bronze.path(settings))
    return rows.select([column.name for column in bronze.columns])


def batch_writer(settings: Settings, topic: str) -> Callable[[DataFrame, int], None]:
    """What to do with one batch of bronze rows of ``topic``."""
    source, rule = contract(topic), TimeRule.of(settings)

    def write(messages: DataFrame, batch_id: int) -> None:
        messages.sparkSession.sparkContext.setLocalProperty("spark.scheduler.pool", f"silver/{topic}")
        messages.sparkSession.sparkContext.setJobDescription(f"silver/{topic} batch {batch_id}")
        parsed = parse(messages, source, rule).persist(StorageLevel.MEMORY_AND_DISK)
        try:
            write_parsed(parsed, source, settings)
        finally:
            parsed.unpersist()

    return write


def write_parsed(parsed: DataFrame, source: Contract, settings: Settings) -> None:
    """Insert what silver and quarantine do not have yet; running it again inserts nothing."""
    silver, quarantine = tables.silver(source.topic), tables.quarantine(source.topic)
    summary = summarise(parsed)
    if summary.accepted:
        insert_new(accepted(parsed, silver), silver, summary.silver_files(), settings)
    if summary.rejected:
        insert_new(rejected(parsed, quarantine, source), quarantine, summary.quarantine_files(), settings)
