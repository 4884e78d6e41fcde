"""How each query of the application is started, with what it alone needs made ready first."""

from collections.abc import Sequence
from functools import partial

from pyspark.sql import SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from data_lake import tables
from data_lake.delta_tables import ensure_table
from feature_store import catalog
from feature_store.feast import repository
from stream_processing.spark_streaming.bronze.sharing import SharedBronze
from stream_processing.spark_streaming.features import FeatureQuery
from stream_processing.spark_streaming.queries.query import BRONZE, SILVER
from stream_processing.spark_streaming.queries.restarts import StartQuery
from stream_processing.spark_streaming.silver.sharing import SharedSilver
from tidemill.config.settings import Settings


def query_starts(
    topics: Sequence[str], bronze: SharedBronze, silver: SharedSilver, features: Sequence[FeatureQuery]
) -> dict[str, StartQuery]:
    """How to start each query, by its name."""
    starts: dict[str, StartQuery] = {}
    for topic in topics:
        starts[f"{BRONZE}/{topic}"] = partial(bronze.start, topic)
        starts[f"{SILVER}/{topic}"] = partial(silver.start, topic)
    return starts | {query.name: partial(features_query, query) for query in features}


def feature_queries(spark: SparkSession, settings: Settings) -> list[FeatureQuery]:
    """The query of each feature group that a served use case reads."""
    return [FeatureQuery(spark, settings, group) for group in catalog.served_groups(settings.serving.use_cases)]


def features_query(query: FeatureQuery) -> StreamingQuery:
    """The running query that keeps the states of a group, Feast's registry and silver's table made or checked."""
    repository.apply(query.settings)
    ensure_table(query.spark, tables.table(query.group.source.table), query.settings)
    return query()
