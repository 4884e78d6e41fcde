"""The stream application: from Kafka to bronze, on to silver and quarantine, and on to the states of features.

All topics are read by one query, and judged together, while each is well and has little news; else it has queries of
its own. A query a feature group of the use cases that are served.

Run it with ``tidemill submit stream_processing/spark_streaming/app.py``; stop it with SIGTERM.
"""

import logging
import signal
import sys
import threading
from functools import partial
from typing import Any

import click
from prometheus_client import CollectorRegistry, start_http_server
from py4j.protocol import Py4JError  # type: ignore[import-untyped]
from pyspark.sql import SparkSession

from data_lake.spark import session
from stream_processing.spark_streaming.bronze.sharing import SharedBronze
from stream_processing.spark_streaming.queries.diagnosis import Diagnosis
from stream_processing.spark_streaming.queries.ending import NotedEnding
from stream_processing.spark_streaming.queries.heap import HeapGauges
from stream_processing.spark_streaming.queries.lag import shares
from stream_processing.spark_streaming.queries.progress import ProgressGauges, StateCollector
from stream_processing.spark_streaming.queries.query import BRONZE, SILVER
from stream_processing.spark_streaming.queries.restarts import QueryRunner
from stream_processing.spark_streaming.queries.shared_thread import SharedThread
from stream_processing.spark_streaming.queries.shutdown import held_shutdown
from stream_processing.spark_streaming.queries.silent_lag import SilentLag
from stream_processing.spark_streaming.queries.states import QueryStates
from stream_processing.spark_streaming.queries.watch import Batches, Watch
from stream_processing.spark_streaming.silver.sharing import SharedSilver
from stream_processing.spark_streaming.starts import feature_queries, query_starts
from stream_processing.spark_streaming.state_watch import StateWatch
from tidemill.config import Settings, load_settings
from tidemill.config.errors import TidemillError
from tidemill.contracts.registry import topics_called

CONF = {
    "spark.scheduler.mode": "FAIR",
    # A batch is persisted and every function of it is deterministic: MERGE need not copy it once more to be safe.
    "spark.databricks.delta.merge.materializeSource": "none",
    # Delta 4.4 counts a partition's small files from the start of the process, and forgets that it has merged them when
    # the count falls to zero: after a restart it would merge at every commit. By the whole table, the count decides.
    "spark.databricks.delta.autoCompact.modifiedPartitionsOnly.enabled": "false",
    # With each commit lies the list of all files, so that nobody replays the log for it, while they are this many.
    "spark.databricks.delta.allFilesInCrc.thresholdNumFiles": "150",
    # A consumer for each partition of all topics is kept; the default is 64 in all.
    "spark.kafka.consumer.cache.capacity": "4096",
    # What goes to a Python worker at a time, however long messages are.
    "spark.sql.execution.arrow.maxBytesPerBatch": "33554432",
}
BATCH_GRACE_S = 15.0
REPAIR_GRACE_S = 5.0
logger = logging.getLogger("tidemill.stream")


def run(settings: Settings, stop: threading.Event) -> None:
    """Run all queries until ``stop`` is set.

    What a single query needs (its topic, its tables, the registry of features) is looked after when that query starts:
    where it is missing, that query alone waits.

    Raises:
        TidemillError: what no query can do without is missing: the settings, the contracts, Spark, a shared thread.
    """
    spark = session("tidemill-stream", settings, CONF)
    states = QueryStates()
    with held_shutdown(spark, stop):
        features = feature_queries(spark, settings)
        registry = CollectorRegistry()
        gauges = export_progress(spark, settings, states, registry)
        silver = SharedSilver(spark, settings, states, stop, gauges.took)
        bronze = SharedBronze(spark, settings, stop, silver.hear)
        starts = query_starts(topics_called(settings.stream.topics), bronze, silver, features)
        batches = Batches(spark, settings, bronze.topics, silver.batches)
        watch = Watch(batches, states, settings.stream.stuck_after_s, NotedEnding(spark, settings))
        silent = SilentLag(spark, settings, states, gauges)
        looking_after = threading.Thread(target=StateWatch(settings, features).run, args=(stop,), daemon=True)
        looking_after.start()
        for work in (watch.run, silent.run, HeapGauges(spark, registry).run):
            threading.Thread(target=work, args=(stop,), daemon=True).start()
        shared = [SharedThread(BRONZE, bronze.run, stop), SharedThread(SILVER, silver.run, stop)]
        for thread in shared:
            thread.start()
        diagnosis = Diagnosis(settings)
        QueryRunner(starts, states=states, diagnose=diagnosis, is_alive=partial(is_alive, spark)).run(stop)
        for thread in shared:
            thread.join(BATCH_GRACE_S)
        # A repair that takes longer is cut off: like one that was killed, it is done again.
        looking_after.join(REPAIR_GRACE_S)


def is_alive(spark: SparkSession) -> bool:
    """Whether the JVM answers and its Spark has not ended."""
    context: Any = spark.sparkContext
    try:
        return not context._jsc.sc().isStopped()
    except (Py4JError, OSError, AttributeError):
        return False


def export_progress(
    spark: SparkSession, settings: Settings, states: QueryStates, registry: CollectorRegistry
) -> ProgressGauges:
    """Serve ``registry`` for Prometheus on ``settings.stream.metrics_address``, with the progress gauges in it."""
    host, port = settings.stream.metrics_address.rsplit(":", 1)
    registry.register(StateCollector(states))
    start_http_server(int(port), addr=host.strip("[]"), registry=registry)
    gauges = ProgressGauges(registry, partial(shares, settings=settings))
    spark.streams.addListener(gauges)
    return gauges


def main() -> None:
    """Run until SIGTERM or SIGINT; an expected error is one sentence and a non-zero exit status."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        run(load_settings(), stop)
    except TidemillError as error:
        click.echo(f"tidemill stream: {error}", err=True)
        sys.exit(error.exit_status)


if __name__ == "__main__":
    main()
