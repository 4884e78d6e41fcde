"""A failing query is started again; one that keeps failing ends the process."""

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from feature_store.online_store import OnlineStoreUnavailableError
from stream_processing.spark_streaming.restarts import QueryFailedError, QueryRunner, RestartPolicy

Batch = Callable[[DataFrame, int], None]


@pytest.fixture
def starting(spark: SparkSession, tmp_path: Path) -> Callable[[str, Batch], Callable[[], StreamingQuery]]:
    """How to start a query that gives a row a second to a function."""

    def make(name: str, batch: Batch) -> Callable[[], StreamingQuery]:
        rate = spark.readStream.format("rate").load()
        writer = rate.writeStream.foreachBatch(batch).queryName(name)
        return writer.option("checkpointLocation", str(tmp_path / name)).trigger(processingTime="0.1 seconds").start

    return make


Starting = Callable[[str, Batch], Callable[[], StreamingQuery]]


def test_a_query_that_fails_twice_goes_on_and_the_others_never_stopped(starting: Starting) -> None:
    stop, failures, steady = threading.Event(), [2], []

    def flaky(_: DataFrame, batch_id: int) -> None:
        if failures[0]:
            failures[0] -= 1
            raise ValueError("the disk is full")
        if batch_id >= 2:
            stop.set()

    starts = {"flaky": starting("flaky", flaky), "steady": starting("steady", lambda _, n: steady.append(n))}
    QueryRunner(starts, RestartPolicy(attempts=4, pause_s=0.1)).run(stop)
    assert failures == [0]
    assert steady == sorted(set(steady))


def test_a_query_that_keeps_failing_ends_the_run_and_names_the_cause(spark: SparkSession, starting: Starting) -> None:
    calls: list[int] = []

    def broken(_: DataFrame, batch_id: int) -> None:
        calls.append(batch_id)
        raise ValueError("the disk is full")

    starts = {"broken": starting("broken", broken), "steady": starting("steady", lambda *_: None)}
    with pytest.raises(
        QueryFailedError, match=r"query broken failed 3 times in a row: (?s:.)*the disk is full"
    ) as raised:
        QueryRunner(starts, RestartPolicy(attempts=3, pause_s=0.1)).run(threading.Event())
    assert raised.value.exit_status == 75
    assert calls == [0, 0, 0]
    assert not [query for query in spark.streams.active if query.name in starts]


def test_a_patient_query_is_started_until_what_it_needs_is_back_and_the_others_go_on(starting: Starting) -> None:
    stop, tries, steady = threading.Event(), [0], []
    works = starting("patient", lambda *_: stop.set())

    def patient() -> StreamingQuery:
        tries[0] += 1
        if tries[0] < 8:
            raise OnlineStoreUnavailableError("Redis is away")
        return works()

    starts = {"patient": patient, "steady": starting("steady", lambda _, n: steady.append(n))}
    policy = RestartPolicy(attempts=2, pause_s=0.1)
    QueryRunner(starts, policy, {"patient": replace(policy, attempts=None, longest_s=0.2)}).run(stop)
    assert tries == [8]
    assert steady == sorted(set(steady))


def test_pauses_double_up_to_a_bound() -> None:
    assert [RestartPolicy(pause_s=1, longest_s=5).pause(n) for n in (1, 2, 3, 4)] == [1, 2, 4, 5]
