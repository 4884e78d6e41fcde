"""The gauges of a real query, through PySpark's listener."""

import math
import threading
import time
from collections.abc import Callable
from functools import partial

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from data_lake import tables
from stream_processing.spark_streaming.queries.lag import lag_rows
from stream_processing.spark_streaming.queries.progress import ProgressGauges, StateCollector
from stream_processing.spark_streaming.queries.silent_lag import SilentLag
from stream_processing.spark_streaming.queries.states import QueryStates, State
from stream_processing.spark_streaming.queries.watch import Batches, Watch
from stream_processing.spark_streaming.silver import batch as silver
from stream_processing.spark_streaming.silver.batch import start_silver
from stream_processing.spark_streaming.silver.parse import parse
from tests.integration.stream_processing.conftest import TOPIC, encode, transaction
from tidemill.config import Settings
from tidemill.stack.stream.progress import parse_progress

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


class NoteEnding:
    """This process goes on."""

    def __init__(self) -> None:
        self.asked = threading.Event()

    def may_help(self, name: str, batch_id: int) -> bool:
        return True

    def end(self, name: str, batch_id: int, sentence: str) -> None:
        self.asked.set()


def test_of_a_batch_that_hangs_is_known_since_when_how_far_and_how_much_waits_behind_it(
    spark: SparkSession, lake: Settings, messages: Callable[..., DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    hangs = F.expr("java_method('java.lang.Thread', 'sleep', 600000L) = 'null'")
    monkeypatch.setattr(silver, "parse", lambda rows, *rest: parse(rows.where(hangs), *rest))
    into_bronze(lake, messages([encode(transaction(f"hangs {number}")) for number in range(3)]))
    registry, states, stop = CollectorRegistry(), QueryStates(), threading.Event()
    ending = NoteEnding()
    gauges = ProgressGauges(registry, partial(lag_rows, settings=lake))
    registry.register(StateCollector(states))
    watch = Watch(Batches(spark, lake), states, 2.0, ending)
    threading.Thread(target=watch.run, args=(stop,), daemon=True).start()
    begun = time.time()
    query = start_silver(spark, lake, TOPIC, states)
    try:
        eventually(lambda: states.of(QUERY).state is State.STUCK, 120)
        into_bronze(lake, messages([encode(transaction("waits")), b"waits"]))
        SilentLag(spark, lake, states, gauges).measure(QUERY)
        (progress,) = parse_progress(generate_latest(registry).decode())
        assert (progress.query, progress.state, progress.lag_rows) == (QUERY, "stuck", 5)
        assert progress.sentence.startswith(f"batch 0 of {QUERY}, begun ")
        assert begun <= (progress.batch_started or 0) <= time.time()
        assert progress.batch_tasks_done is not None
        assert progress.batch_tasks is not None
        assert 0 <= progress.batch_tasks_done < progress.batch_tasks
        assert ending.asked.wait(60)
    finally:
        stop.set()
        query.stop()


def into_bronze(lake: Settings, batch: DataFrame) -> None:
    """As the stream commits it: what others append is not counted."""
    staged = f"{lake.lake_root}/staged-{time.monotonic_ns()}"
    batch.write.format("delta").save(staged)
    stream = batch.sparkSession.readStream.format("delta").load(staged).writeStream.format("delta")
    done = stream.option("checkpointLocation", f"{staged}-checkpoint").trigger(availableNow=True)
    done.start(tables.bronze(TOPIC).path(lake)).awaitTermination()


def eventually(holds: Callable[[], bool], limit_s: float = 30) -> None:
    """Listeners are told a moment after the fact."""
    deadline = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < deadline, "the listener was not told"
        time.sleep(0.05)
