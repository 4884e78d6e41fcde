"""Kafka to bronze: every message as it arrived, appended exactly once."""

import json
from collections.abc import Mapping

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql.streaming.query import StreamingQuery

from data_lake import tables
from data_lake.topic_starts import TopicStart, resume
from stream_processing.spark_streaming.queries.query import checkpoint, start_at
from stream_processing.spark_streaming.topic_watch import watch
from tidemill.config.settings import Settings


def start_bronze(spark: SparkSession, settings: Settings, topic: str) -> StreamingQuery:
    """The running query ``bronze/<topic>``.

    Exactly once: Spark notes a batch's offsets in the checkpoint before it reads them, and Delta notes the query's
    id and the batch's number in the commit, so a batch that is run again appends nothing. Which topic the broker has is
    compared with the record before the start, and while the query runs.

    Raises:
        OtherTopicError: the broker's topic is not the one that bronze has read.
        OffsetsGoneError: the broker removed messages before they were read.
    """
    table = tables.bronze(topic)
    begun, offsets = resume(settings, topic)
    rows = as_bronze(read_topic(spark, settings, topic, offsets), begun.generation)
    options = {"path": table.path(settings), "userMetadata": json.dumps(note(begun))}
    writer = rows.writeStream.format("delta").outputMode("append").options(**options)
    folder = checkpoint(settings, begun.checkpoint)
    query = start_at(spark, writer, table.name, folder, settings.stream.trigger_s)
    watch(query, settings, begun)
    return query


def note(begun: TopicStart) -> dict[str, object]:
    """What each commit of bronze says of where its rows come from."""
    identity = {"cluster_id": begun.identity.cluster_id, "topic_id": begun.identity.topic_id}
    return {"topic": begun.topic, **identity, "generation": begun.generation, "start": begun.start}


def read_topic(spark: SparkSession, settings: Settings, topic: str, offsets: Mapping[int, int]) -> DataFrame:
    """The messages of ``topic`` as a stream, from ``offsets`` on; a checkpoint that is not new knows better."""
    options = {
        "kafka.bootstrap.servers": settings.kafka.bootstrap_servers,
        "subscribe": topic,
        "startingOffsets": json.dumps({topic: {str(partition): offset for partition, offset in offsets.items()}}),
        "failOnDataLoss": "true",
        "includeHeaders": "true",
        "maxOffsetsPerTrigger": str(settings.stream.max_offsets_per_trigger),
        **settings.stream.kafka_options,
        "kafka.isolation.level": settings.stream.isolation,
    }
    return spark.readStream.format("kafka").options(**options).load()


def as_bronze(messages: DataFrame, generation: int) -> DataFrame:
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
        F.lit(generation).alias("generation"),
    )
