"""Kafka to bronze: every message as it arrived, appended exactly once."""

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql.streaming.query import StreamingQuery

from config.settings import Settings
from data_lake import tables
from data_lake.tables import FIRST_GENERATION
from stream_processing.spark_streaming.query import start


def start_bronze(spark: SparkSession, settings: Settings, topic: str) -> StreamingQuery:
    """The running query ``bronze/<topic>``.

    Exactly once: Spark notes a batch's offsets in the checkpoint before it reads them, and Delta notes the query's
    id and the batch's number in the commit, so a batch that is run again appends nothing.
    """
    table = tables.bronze(topic)
    rows = as_bronze(read_topic(spark, settings, topic))
    writer = rows.writeStream.format("delta").outputMode("append").option("path", table.path(settings))
    return start(spark, settings, writer, table.name, settings.stream.trigger_s)


def read_topic(spark: SparkSession, settings: Settings, topic: str) -> DataFrame:
    """The messages of ``topic`` as a stream, from the first one the broker still has."""
    options = {
        "kafka.bootstrap.servers": settings.kafka.bootstrap_servers,
        "subscribe": topic,
        "startingOffsets": "earliest",
        "failOnDataLoss": "true",
        "includeHeaders": "true",
        "maxOffsetsPerTrigger": str(settings.stream.max_offsets_per_trigger),
        **settings.stream.kafka_options,
    }
    return spark.readStream.format("kafka").options(**options).load()


def as_bronze(messages: DataFrame) -> DataFrame:
    """Kafka's columns under bronze's names, with the time this batch took them in."""
    ingested_at: Column = F.current_timestamp()
    return messages.select(
        "topic",
        "partition",
        "offset",
        F.col("timestamp").alias("broker_time"),
        "key",
        "value",
        "headers",
        ingested_at.alias("ingested_at"),
        F.to_date(ingested_at).alias("ingest_date"),
        F.lit(FIRST_GENERATION).alias("generation"),
    )
