"""How each query of the application is started, with what it alone needs made ready first."""

from collections.abc import Sequence
from functools import partial

from pyspark.sql import SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from data_lake import tables
from data_lake.delta_tables import ensure_table
from feature_store import catalog
from feature_store.feast import repository
from ingestion_layer.kafka.topics import ensure_topics
from stream_processing.spark_streaming.bronze import start_bronze
from stream_processing.spark_streaming.features import FeatureQuery
from stream_processing.spark_streaming.queries.restarts import StartQuery
from stream_processing.spark_streaming.queries.states import QueryStates
from stream_processing.spark_streaming.silver.batch import start_silver
from tidemill.config.settings import Settings
from tidemill.contracts.registry import topics_called


def query_starts(
    spark: SparkSession, settings: Settings, states: QueryStates, features: Sequence[FeatureQuery]
) -> dict[str, StartQuery]:
    """How to start each query, by its name; ``states`` are told what those of silver do beside the usual."""
    starts: dict[str, StartQuery] = {}
    for topic in topics_called(settings.stream.topics):
        starts[f"bronze/{topic}"] = partial(bronze_query, spark, settings, topic)
        starts[f"silver/{topic}"] = partial(silver_query, spark, settings, topic, states)
    return starts | {query.name: partial(features_query, query) for query in features}


def feature_queries(spark: SparkSession, settings: Settings) -> list[FeatureQuery]:
    """The query of each feature group that a served use case reads."""
    return [FeatureQuery(spark, settings, group) for group in catalog.served_groups(settings.serving.use_cases)]


def bronze_query(spark: SparkSession, settings: Settings, topic: str) -> StreamingQuery:
    """The running query ``bronze/<topic>``, its topic and table made or checked."""
    ensure_topics(settings, [topic])
    ensure_table(spark, tables.bronze(topic), settings)
    return start_bronze(spark, settings, topic)


def silver_query(spark: SparkSession, settings: Settings, topic: str, states: QueryStates) -> StreamingQuery:
    """The running query ``silver/<topic>``, the tables that it reads and writes made or checked."""
    for table in (tables.bronze(topic), tables.silver(topic), tables.quarantine(topic)):
        ensure_table(spark, table, settings)
    return start_silver(spark, settings, topic, states)


def features_query(query: FeatureQuery) -> StreamingQuery:
    """The running query that keeps the states of a group, Feast's registry and silver's table made or checked."""
    repository.apply(query.settings)
    ensure_table(query.spark, tables.table(query.group.source.table), query.settings)
    return query()
