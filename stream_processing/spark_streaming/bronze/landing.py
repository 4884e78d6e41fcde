"""One streaming query that lands any number of topics: a batch is one Spark job, and one commit a table with news."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql.streaming.query import StreamingQuery

from data_lake import tables
from data_lake.delta_rs import location
from data_lake.delta_tables import ensure_table
from data_lake.hadoop_files import read_text
from data_lake.topic_starts import resume
from ingestion_layer.kafka.topics import create_topics
from stream_processing.spark_streaming.bronze.commit import BronzeTable
from stream_processing.spark_streaming.bronze.files import TOPIC, WRITTEN, FileWriter, Target
from stream_processing.spark_streaming.queries.query import checkpoint, start_at
from stream_processing.spark_streaming.topic_watch import watch
from tidemill.config.settings import Settings

RUNS = "landing"
"""The folder of checkpoints: one a run of a query, since where it goes on is noted in the tables."""
FLOOD = 0.25
"""Of what a batch may read: a topic that has more takes the others' share."""
Fail = Callable[[str, Exception | None], None]


def prepare(spark: SparkSession, settings: Settings, topic: str) -> BronzeTable:
    """The bronze table of ``topic``, where it goes on; topic and table are made or checked first.

    A topic that is there is never altered. Which topic the broker has is compared with the record.

    Raises:
        OtherTopicError: the broker's topic is not the one that bronze has read.
        OffsetsGoneError: the broker removed messages before they were read.
        TableMismatchError: the table is not as it was declared.
    """
    create_topics(settings, [topic])
    ensure_table(spark, tables.bronze(topic), settings)
    begun, offsets = resume(settings, topic)
    return BronzeTable(settings, begun, dict(offsets))


def start_bronze(spark: SparkSession, settings: Settings, topic: str) -> StreamingQuery:
    """The running query ``bronze/<topic>``, of this topic alone; it raises as :func:`prepare`."""
    return Landing(spark, settings, f"bronze/{topic}", {topic: prepare(spark, settings, topic)}).start()


@dataclass
class Landing:
    """The query ``name`` that lands the topics of ``bronze``.

    Exactly once: the position of each partition stands in the commit that has the rows, and a run begins at these
    positions, so that nothing is left out and nothing is there twice, whatever was killed.

    ``landed`` is told of each topic that a batch had news of. ``fail`` is told of a topic that cannot be landed (with
    None when it is another one at the broker), which is left out from then on; without ``fail`` the query ends.
    ``flood`` is told of one that has a large part of a batch.
    """

    spark: SparkSession
    settings: Settings
    name: str
    bronze: dict[str, BronzeTable]
    landed: Callable[[str], None] = lambda _: None
    fail: Fail | None = None
    flood: Callable[[str], None] | None = None
    _folder: str = field(default="", init=False)

    def start(self) -> StreamingQuery:
        self._folder = checkpoint(self.settings, f"{RUNS}/{uuid4().hex}")
        messages = read_topics(self.spark, self.settings, {topic: of.position for topic, of in self.bronze.items()})
        writer = messages.writeStream.foreachBatch(self.land)
        query = start_at(self.spark, writer, self.name, self._folder, self.settings.stream.trigger_s)
        watch(query, self.settings, [of.begun for of in self.bronze.values()], self.fail)
        return query

    def land(self, messages: DataFrame, batch_id: int) -> None:
        """Write a batch, and commit what it has of each topic."""
        spark = messages.sparkSession
        spark.sparkContext.setLocalProperty("spark.scheduler.pool", self.name)
        spark.sparkContext.setJobDescription(f"{self.name} batch {batch_id}")
        ends = self._ends(spark, batch_id)
        written = self._write(messages, [topic for topic in ends if topic in self.bronze])
        failed: dict[str, Exception] = {}
        for topic, until in ends.items():
            if topic not in self.bronze:
                continue
            try:
                offsets = self.bronze[topic].commit(written[topic], until)
            except Exception as error:
                if self.fail is None:
                    raise
                failed[topic] = error
                continue
            if written[topic]:
                self.landed(topic)
            if self.flood is not None and offsets > self.settings.stream.max_offsets_per_trigger * FLOOD:
                self.flood(topic)
        self._give_up(failed)

    def _ends(self, spark: SparkSession, batch_id: int) -> dict[str, dict[int, int]]:
        """Up to where the batch goes, by topic and partition, as Spark noted before it began."""
        noted = json.loads(read_text(spark, f"{self._folder}/offsets/{batch_id}").splitlines()[-1])
        return {topic: {int(number): end for number, end in ends.items()} for topic, ends in noted.items()}

    def _write(self, messages: DataFrame, topics: Iterable[str]) -> Mapping[str, list[dict[str, Any]]]:
        """Files of the batch's rows, none of them part of a table yet, by topic."""
        targets = {
            topic: Target(location(tables.bronze(topic), self.settings), self.bronze[topic].begun.generation)
            for topic in topics
        }
        writer = FileWriter(targets, self.settings.lake.storage_options)
        # A task reads several partitions: most have a few messages, and a task costs more than these.
        rows = as_bronze(messages).coalesce(messages.sparkSession.sparkContext.defaultParallelism)
        written: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        for file in rows.mapInArrow(writer, WRITTEN).collect():
            written[file[TOPIC]].append(file.asDict())
        return written

    def _give_up(self, failed: Mapping[str, Exception]) -> None:
        """Leave out the topics that ``failed``; when all did, it is no topic's own trouble."""
        if failed and len(failed) == len(self.bronze):
            raise next(iter(failed.values()))
        for topic, error in failed.items():
            del self.bronze[topic]
            if self.fail is not None:
                self.fail(topic, error)


def read_topics(spark: SparkSession, settings: Settings, positions: Mapping[str, Mapping[int, int]]) -> DataFrame:
    """The messages of topics as a stream, from the positions of their partitions on."""
    starts = {topic: {str(number): offset for number, offset in of.items()} for topic, of in positions.items()}
    options: dict[str, Any] = {
        "kafka.bootstrap.servers": settings.kafka.bootstrap_servers,
        "subscribe": ",".join(positions),
        "startingOffsets": json.dumps(starts),
        "failOnDataLoss": "true",
        "includeHeaders": "true",
        # A task reads partitions one after the other; before the next it waits for the broker's answer to a request for
        # messages that are not there yet.
        "kafka.fetch.max.wait.ms": "1",
        "maxOffsetsPerTrigger": str(settings.stream.max_offsets_per_trigger),
        **settings.stream.kafka_options,
        "kafka.isolation.level": settings.stream.isolation,
    }
    return spark.readStream.format("kafka").options(**options).load()


def as_bronze(messages: DataFrame) -> DataFrame:
    """Kafka's columns under bronze's names, with the time this batch took them in; the generation is the topic's."""
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
    )
