"""Bronze to silver and quarantine, in micro-batches that can be run again without changing anything."""

from collections.abc import Callable

from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from data_lake import tables
from stream_processing.spark_streaming.queries.query import start
from stream_processing.spark_streaming.queries.states import QueryStates, State
from stream_processing.spark_streaming.silver.conflicts import NOTHING, SilverIdentities, find_conflicts
from stream_processing.spark_streaming.silver.insert import insert_new
from stream_processing.spark_streaming.silver.parse import TimeRule, parse
from stream_processing.spark_streaming.silver.split import accepted, conflicting, rejected
from stream_processing.spark_streaming.silver.summary import quarantine_files, summarise
from stream_processing.spark_streaming.taking_apart.attempts import Attempts
from stream_processing.spark_streaming.taking_apart.halving import TRIES
from stream_processing.spark_streaming.taking_apart.unprocessable import Unprocessable
from tidemill.config.settings import Settings
from tidemill.contracts.registry import contract


def start_silver(
    spark: SparkSession, known: SilverIdentities, states: QueryStates | None = None, first: int | None = None
) -> StreamingQuery:
    """The running query ``silver/<topic>``, from version ``first`` of bronze on where its checkpoint is new."""
    settings, topic = known.settings, known.topic
    writer = read_bronze(spark, settings, topic, first).writeStream.foreachBatch(batch_writer(known, states))
    return start(spark, settings, writer, f"silver/{topic}", settings.stream.poll_s)


def read_bronze(spark: SparkSession, settings: Settings, topic: str, first: int | None = None) -> DataFrame:
    """Bronze's declared columns as a stream; rows that retention deletes are no news to silver."""
    options = {} if first is None else {"startingVersion": str(first)}
    options |= {
        "maxFilesPerTrigger": str(settings.stream.max_files_per_trigger),
        "maxBytesPerTrigger": f"{settings.stream.max_bytes_per_trigger_mb}m",
        "ignoreDeletes": "true",
    }
    bronze = tables.bronze(topic)
    rows = spark.readStream.format("delta").options(**options).load(bronze.path(settings))
    return rows.select([column.name for column in bronze.columns])


def batch_writer(known: SilverIdentities, states: QueryStates | None = None) -> Callable[[DataFrame, int], None]:
    """What to do with one batch of bronze rows; ``states`` are told what is unusual about it."""
    settings, topic, states = known.settings, known.topic, states or QueryStates()
    name = f"silver/{topic}"
    unprocessable = Unprocessable(settings, topic, states)
    attempts = Attempts(settings, name, lambda: states.of(name).state is State.STUCK)

    def write_rows(messages: DataFrame) -> None:
        write_messages(messages, known)

    def write(messages: DataFrame, batch_id: int) -> None:
        spark = messages.sparkSession
        spark.sparkContext.setLocalProperty("spark.scheduler.pool", name)
        spark.sparkContext.setJobDescription(f"{name} batch {batch_id}")
        with attempts.attempt(spark, batch_id) as earlier:
            if earlier:
                messages = unprocessable.left_out(messages)
            if earlier < TRIES:
                write_rows(messages)
            else:
                unprocessable.take_apart(messages, batch_id, write_rows)

    return write


def write_messages(messages: DataFrame, known: SilverIdentities) -> None:
    """Bronze rows of a topic into its silver and quarantine."""
    source, rule = contract(known.topic), TimeRule.of(known.settings)
    parsed = parse(messages, source, rule).persist(StorageLevel.MEMORY_AND_DISK)
    try:
        write_parsed(parsed, messages, known)
    finally:
        parsed.unpersist()


def write_parsed(parsed: DataFrame, messages: DataFrame, known: SilverIdentities) -> None:
    """Insert what silver and quarantine do not have yet; running it again inserts nothing."""
    silver, quarantine, settings = tables.silver(known.topic), tables.quarantine(known.topic), known.settings
    summary = summarise(parsed)
    found = find_conflicts(parsed, known, summary.silver_files()) if summary.accepted else NOTHING
    conflicts = found.frame(parsed.sparkSession)
    if summary.accepted:
        insert_new(accepted(parsed, silver, conflicts), silver, summary.silver_files(), settings)
        known.add(found.hashes)
    if conflicts is not None:
        files = quarantine_files(found.ingest_dates)
        insert_new(conflicting(messages, quarantine, conflicts), quarantine, files, settings)
    if summary.rejected:
        insert_new(rejected(parsed, quarantine), quarantine, quarantine_files(summary.ingest_dates), settings)
