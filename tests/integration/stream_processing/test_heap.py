"""The gauges of the application's heap, on a real JVM."""

import time

from prometheus_client import CollectorRegistry
from pyspark.sql import SparkSession

from stream_processing.spark_streaming.queries.heap import HeapGauges

MB = 2**20


def test_live_is_what_collections_left_in_use_and_committed_is_more(spark: SparkSession) -> None:
    registry = CollectorRegistry()
    gauges, jvm, gateway = HeapGauges(spark, registry), spark.sparkContext._jvm, spark.sparkContext._gateway

    def collected() -> float:
        jvm.System.gc()
        gauges.look()
        return registry.get_sample_value("tidemill_stream_heap_live_bytes") or 0.0

    def after_collection() -> float:
        """Spark lets go of what the tests before left only when a collection told it that nobody refers to it."""
        left, now = float("inf"), collected()
        while left - now > MB:
            time.sleep(0.2)
            left, now = now, collected()
        return now

    before = after_collection()
    held = gateway.new_array(jvm.long, 64 * MB // 8)
    assert after_collection() - before > 60 * MB
    assert (registry.get_sample_value("tidemill_stream_heap_committed_bytes") or 0.0) > 64 * MB
    assert len(held) == 64 * MB // 8
