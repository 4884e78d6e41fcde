"""Silver to states: each commit of silver's change feed is applied to the online states of a feature group, once.

A batch that is run again finds in each state which commit it took in last, and leaves out what is not newer.
"""

import logging
import time
from collections.abc import Callable

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql.streaming.query import StreamingQuery

from config.errors import TransientError
from config.settings import Settings
from data_lake.tables import table
from feature_store.applying import COMMIT, apply_to_states
from feature_store.bootstrap import bootstrap
from feature_store.catalog import state_view_name
from feature_store.definitions import FeatureGroup
from feature_store.silver import event_columns
from feature_store.states import Applied, StateStore
from stream_processing.spark_streaming.query import start

logger = logging.getLogger("tidemill.stream")


class StatesLostError(TransientError):
    """The online store no longer knows of states that this query keeps up to date."""


def query_name(group: FeatureGroup) -> str:
    """Another definition is another query, with a checkpoint of its own."""
    return f"features/{state_view_name(group)}"


def start_features(spark: SparkSession, settings: Settings, group: FeatureGroup) -> StreamingQuery:
    """The running query that keeps the states of ``group``; made from all of silver first where there are none."""
    made = bootstrap(spark, settings, group)
    options = {
        "readChangeFeed": "true",
        # What the bootstrap has seen is left out by every state that it made.
        "startingVersion": str(made.version),
        "maxFilesPerTrigger": str(settings.stream.max_files_per_trigger),
    }
    changes = spark.readStream.format("delta").options(**options).load(table(group.source.table).path(settings))
    writer = changes.writeStream.foreachBatch(batch_applier(settings, group))
    return start(spark, settings, writer, query_name(group), settings.stream.poll_s)


def batch_applier(settings: Settings, group: FeatureGroup) -> Callable[[DataFrame, int], None]:
    """What to do with one batch of silver's changes.

    Rows that retention deletes stay in their tiles until no window reaches them.
    """
    store = StateStore(settings, group)

    def write(changes: DataFrame, batch_id: int) -> None:
        spark = changes.sparkSession
        spark.sparkContext.setLocalProperty("spark.scheduler.pool", query_name(group))
        spark.sparkContext.setJobDescription(f"{query_name(group)} batch {batch_id}")
        before = store.applied()
        if before is None:
            raise StatesLostError(f"the online store lost the states of {group.name}: they are made anew")
        started = time.time_ns() // 1000
        inserted = changes.where(F.col("_change_type") == "insert")
        events = event_columns(inserted, group, F.col(COMMIT))
        counts = apply_to_states(events, settings, group, settings.spark.shuffle_partitions)
        if counts["events"]:
            version, known = max(before.version, counts["version"]), max(before.known_until, counts["known"])
            store.note_applied(Applied(before.table_id, version, known, started))

    return write
