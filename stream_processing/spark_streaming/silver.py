"""Bronze to silver and quarantine, in micro-batches that can be run again without changing anything."""

from collections.abc import Callable

from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from config.settings import Settings
from contracts.registry import contract
from data_lake import tables
from data_lake.tables import Table
from stream_processing.spark_streaming.conflicts import NOTHING, SilverIdentities, find_conflicts
from stream_processing.spark_streaming.insert import insert_new
from stream_processing.spark_streaming.parse import TimeRule, parse
from stream_processing.spark_streaming.query import start
from stream_processing.spark_streaming.split import accepted, conflicting, rejected
from stream_processing.spark_streaming.summary import quarantine_files, summarise


def start_silver(spark: SparkSession, settings: Settings, topic: str) -> StreamingQuery:
    """The running query ``silver/<topic>``."""
    writer = read_bronze(spark, settings, topic).writeStream.foreachBatch(batch_writer(settings, topic))
    return start(spark, settings, writer, f"silver/{topic}", settings.stream.poll_s)


def read_bronze(spark: SparkSession, settings: Settings, topic: str) -> DataFrame:
    """Bronze as a stream; rows that retention deletes are no news to silver."""
    options = {
        "maxFilesPerTrigger": str(settings.stream.max_files_per_trigger),
        "maxBytesPerTrigger": f"{settings.stream.max_bytes_per_trigger_mb}m",
        "ignoreDeletes": "true",
    }
    return spark.readStream.format("delta").options(**options).load(tables.bronze(topic).path(settings))


def batch_writer(settings: Settings, topic: str) -> Callable[[DataFrame, int], None]:
    """What to do with one batch of bronze rows of ``topic``."""
    source, rule = contract(topic), TimeRule.of(settings)
    known = SilverIdentities(tables.silver(topic), settings)

    def write(messages: DataFrame, batch_id: int) -> None:
        messages.sparkSession.sparkContext.setLocalProperty("spark.scheduler.pool", f"silver/{topic}")
        messages.sparkSession.sparkContext.setJobDescription(f"silver/{topic} batch {batch_id}")
        parsed = parse(messages, source, rule).persist(StorageLevel.MEMORY_AND_DISK)
        try:
            write_parsed(parsed, messages, known, tables.quarantine(topic), settings)
        finally:
            parsed.unpersist()

    return write


def write_parsed(
    parsed: DataFrame, messages: DataFrame, known: SilverIdentities, quarantine: Table, settings: Settings
) -> None:
    """Insert what silver and quarantine do not have yet; running it again inserts nothing."""
    summary = summarise(parsed)
    found = find_conflicts(parsed, known, summary.silver_files()) if summary.accepted else NOTHING
    conflicts = found.frame(parsed.sparkSession)
    if summary.accepted:
        insert_new(accepted(parsed, known.silver, conflicts), known.silver, summary.silver_files(), settings)
        known.add(found.hashes)
    if conflicts is not None:
        files = quarantine_files(found.ingest_dates)
        insert_new(conflicting(messages, quarantine, conflicts), quarantine, files, settings)
    if summary.rejected:
        insert_new(rejected(parsed, quarantine), quarantine, quarantine_files(summary.ingest_dates), settings)
