"""A failing query is started again; one that keeps failing says so, and no other stops."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from feature_store.online.connection import OnlineStoreUnavailableError
from stream_processing.spark_streaming.queries.restarts import QueryRunner, RestartPolicy, SparkEndedError
from stream_processing.spark_streaming.queries.states import QueryState, QueryStates, State
from tidemill.config.errors import TerminalError, TidemillError

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


def test_a_query_that_keeps_failing_is_failed_with_its_cause_and_the_others_go_on(starting: Starting) -> None:
    stop, states, steady = threading.Event(), QueryStates(), []
    calls: list[tuple[int, State]] = []

    def broken(_: DataFrame, batch_id: int) -> None:
        calls.append((batch_id, states.of("broken").state))
        if len(calls) == 6:
            steady.clear()
        raise ValueError("the disk is full")

    def works(_: DataFrame, number: int) -> None:
        steady.append(number)
        if len(calls) >= 7 and len(steady) >= 2:
            stop.set()

    starts = {"broken": starting("broken", broken), "steady": starting("steady", works)}
    policy = RestartPolicy(attempts=3, pause_s=0.1, longest_s=0.2)
    QueryRunner(starts, policy, states).run(stop)
    assert {number for number, _ in calls} == {0}
    assert [state for _, state in calls[1:4]] == [State.RETRYING, State.RETRYING, State.FAILED]
    assert states.of("broken").state is State.FAILED
    assert "ValueError: the disk is full" in states.of("broken").sentence
    assert states.of("steady") == QueryState(State.RUNNING)
    assert steady == sorted(set(steady))


class ColumnMissingError(TerminalError):
    """Nothing that trying again mends."""


@pytest.mark.parametrize(
    ("error", "tries"),
    [(ColumnMissingError("add the column"), 1), (OnlineStoreUnavailableError("Redis is away"), 3)],
    ids=["at once what nobody but a person can mend", "after three tries what may go by"],
)
def test_a_failed_query_goes_on_by_itself_when_its_cause_was_mended(
    starting: Starting, error: TidemillError, tries: int
) -> None:
    stop, states, before = threading.Event(), QueryStates(), []
    works = starting("mended", lambda *_: stop.wait(1) if states.of("mended").state is State.RUNNING else None)

    def start() -> StreamingQuery:
        before.append(states.of("mended"))
        if len(before) <= tries + 1:
            raise error
        return works()

    watcher = threading.Thread(target=_stop_when_running, args=(states, "mended", stop))
    watcher.start()
    QueryRunner({"mended": start}, RestartPolicy(attempts=3, pause_s=0.1, longest_s=0.2), states).run(stop)
    watcher.join()
    assert [state.state for state in before[1:]].index(State.FAILED) == tries - 1
    assert before[-1] == QueryState(State.FAILED, str(error))
    assert states.of("mended") == QueryState(State.RUNNING)


def _stop_when_running(states: QueryStates, name: str, stop: threading.Event) -> None:
    while states.of(name).state is not State.RUNNING:
        time.sleep(0.05)
    stop.set()


def test_without_spark_the_run_ends_since_no_query_can_go_on(starting: Starting) -> None:
    def start() -> StreamingQuery:
        raise RuntimeError("the JVM is gone")

    starts = {"gone": start, "steady": starting("steady", lambda *_: None)}
    with pytest.raises(SparkEndedError, match=r"Spark has ended \(the JVM is gone\)") as raised:
        QueryRunner(starts, is_alive=lambda: False).run(threading.Event())
    assert raised.value.exit_status == 75


def test_pauses_double_up_to_a_bound_and_a_failed_query_waits_the_longest() -> None:
    policy = RestartPolicy(attempts=5, pause_s=1, longest_s=5)
    assert [policy.pause(failures) for failures in (1, 2, 3, 4, 5, 500)] == [1, 2, 4, 5, 5, 5]
    assert RestartPolicy(attempts=2, pause_s=1, longest_s=60).pause(2) == 60
