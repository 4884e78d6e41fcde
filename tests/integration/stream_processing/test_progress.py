"""The gauges of a real query, through PySpark's listener."""

import math
import time
from collections.abc import Callable
from functools import partial

import pytest
from prometheus_client import CollectorRegistry
from pyspark.sql import DataFrame, SparkSession

from config import Settings
from data_lake import tables
from stream_processing.spark_streaming.lag import lag_rows
from stream_processing.spark_streaming.progress import ProgressGauges
from stream_processing.spark_streaming.silver import start_silver
from tests.integration.stream_processing.conftest import TOPIC, encode, transaction

QUERY = f"silver/{TOPIC}"


def test_the_gauges_say_what_a_query_did_and_that_it_ended(
    spark: SparkSession, lake: Settings, messages: Callable[..., DataFrame]
) -> None:
    arrived = messages([encode(transaction(f"r{number}")) for number in range(3)])
    arrived.write.format("delta").mode("append").save(tables.bronze(TOPIC).path(lake))
    registry = CollectorRegistry()
    gauges = ProgressGauges(registry, partial(lag_rows, settings=lake))

    def value(name: str) -> float | None:
        return registry.get_sample_value(f"tidemill_stream_{name}", {"query": QUERY})

    spark.streams.addListener(gauges)
    try:
        query = start_silver(spark, lake, TOPIC)
        try:
            query.processAllAvailable()
            eventually(lambda: value("lag_rows") == 0)  # the last that a progress sets
            up = value("query_up")
        finally:
            query.stop()
        assert (up, value("batch_id")) == (1, 0)
        assert value("processed_rows_per_second") == pytest.approx(
            3 / (value("batch_duration_seconds") or 0), rel=0.2, abs=0.05
        )
        assert time.time() - (value("last_report_timestamp_seconds") or 0) < 60
        eventually(lambda: value("query_up") == 0)
        eventually(lambda: math.isnan(value("lag_rows") or 0))  # nobody knows it any more
    finally:
        spark.streams.removeListener(gauges)


def eventually(holds: Callable[[], bool], limit_s: float = 30) -> None:
    """Listeners are told a moment after the fact."""
    deadline = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < deadline, "the listener was not told"
        time.sleep(0.05)
