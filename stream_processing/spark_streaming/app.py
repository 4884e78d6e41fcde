"""The stream application: from Kafka to bronze, on to silver and quarantine, and on to the states of features.

A query a topic and layer, and one a feature group of the use cases that are served.

Run it with ``tidemill submit stream_processing/spark_streaming/app.py``; stop it with SIGTERM.
"""

import logging
import signal
import sys
import threading
from functools import partial

import click
from prometheus_client import CollectorRegistry, start_http_server
from pyspark.sql import SparkSession

from config import Settings, load_settings
from config.errors import TidemillError
from contracts.registry import topics_called
from data_lake import tables
from data_lake.delta_tables import ensure_table
from data_lake.spark import session
from feature_store import catalog, repository
from ingestion_layer.kafka.topics import ensure_topics
from stream_processing.spark_streaming.bronze import start_bronze
from stream_processing.spark_streaming.features import FeatureQuery, query_name
from stream_processing.spark_streaming.lag import lag_rows
from stream_processing.spark_streaming.progress import ProgressGauges
from stream_processing.spark_streaming.restarts import QueryRunner, RestartPolicy, StartQuery
from stream_processing.spark_streaming.shutdown import held_shutdown
from stream_processing.spark_streaming.silver import start_silver

CONF = {
    "spark.scheduler.mode": "FAIR",
    # A batch is persisted and every function of it is deterministic: MERGE need not copy it once more to be safe.
    "spark.databricks.delta.merge.materializeSource": "none",
    # Delta 4.4 counts a partition's small files from the start of the process, and forgets that it has merged them when
    # the count falls to zero: after a restart it would merge at every commit. By the whole table, the count decides.
    "spark.databricks.delta.autoCompact.modifiedPartitionsOnly.enabled": "false",
    # With each commit lies the list of all files, so that nobody replays the log for it, while they are this many.
    "spark.databricks.delta.allFilesInCrc.thresholdNumFiles": "150",
}
logger = logging.getLogger("tidemill.stream")


def run(settings: Settings, stop: threading.Event) -> None:
    """Run all queries until ``stop`` is set.

    Raises:
        TidemillError: no broker, a table that differs from its declaration, or a query that keeps failing.
    """
    ensure_topics(settings)
    spark = session("tidemill-stream", settings, CONF)
    with held_shutdown(spark, stop):
        ensure_stream_tables(spark, settings)
        repository.apply(settings)
        export_progress(spark, settings)
        starts = query_starts(spark, settings)
        # While Redis is away the lake goes on.
        patient = {name: RestartPolicy(attempts=None) for name in starts if name.startswith("features/")}
        QueryRunner(starts, policies=patient).run(stop)


def ensure_stream_tables(spark: SparkSession, settings: Settings) -> None:
    """Create or check bronze, silver and quarantine of every topic."""
    for topic in topics_called(settings.stream.topics):
        for table in (tables.bronze(topic), tables.silver(topic), tables.quarantine(topic)):
            ensure_table(spark, table, settings)


def query_starts(spark: SparkSession, settings: Settings) -> dict[str, StartQuery]:
    """How to start each query, by its name."""
    starts: dict[str, StartQuery] = {}
    for topic in topics_called(settings.stream.topics):
        starts[f"bronze/{topic}"] = partial(start_bronze, spark, settings, topic)
        starts[f"silver/{topic}"] = partial(start_silver, spark, settings, topic)
    for group in catalog.served_groups(settings.serving.use_cases):
        starts[query_name(group)] = FeatureQuery(spark, settings, group)
    return starts


def export_progress(spark: SparkSession, settings: Settings) -> None:
    """Serve the progress gauges for Prometheus on ``settings.stream.metrics_address``."""
    registry = CollectorRegistry()
    host, port = settings.stream.metrics_address.rsplit(":", 1)
    start_http_server(int(port), addr=host, registry=registry)
    spark.streams.addListener(ProgressGauges(registry, partial(lag_rows, settings=settings)))


def main() -> None:
    """Run until SIGTERM or SIGINT; an expected error is one sentence and a non-zero exit status."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("py4j").setLevel(logging.WARNING)
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
