"""What happens to one topic's tables or messages stops that topic alone, says why, and ends when it was mended."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient
from pyspark.sql import SparkSession

from data_lake import tables
from data_lake.reconciliation import wait_until_it_holds
from data_lake.table import Table
from stream_processing.spark_streaming.bronze.sharing import SharedBronze
from stream_processing.spark_streaming.queries.diagnosis import Diagnosis
from stream_processing.spark_streaming.queries.restarts import QueryRunner, RestartPolicy
from stream_processing.spark_streaming.queries.states import QueryState, QueryStates, State
from stream_processing.spark_streaming.silver.sharing import SharedSilver
from stream_processing.spark_streaming.starts import query_starts
from tests.integration.own_broker import OwnBroker
from tests.integration.stream_processing.conftest import OTHER, TOPIC, Rows, encode, transaction
from tests.integration.stream_processing.shop import Shop, recent_lines
from tests.integration.stream_processing.test_features import assert_as_judged
from tidemill.config import Settings

PATIENCE_S = 120
LAYERS: tuple[Callable[[str], Table], ...] = (tables.bronze, tables.silver, tables.quarantine)


@pytest.fixture
def lake(own: Settings) -> Settings:
    """Topics that no other test has sent to."""
    return own


@contextmanager
def running(spark: SparkSession, lake: Settings, topics: tuple[str, ...]) -> Iterator[QueryStates]:
    """The runner of the application with bronze and silver of ``topics``."""
    stop, states = threading.Event(), QueryStates()
    silver = SharedSilver(spark, lake, states, stop)
    bronze = SharedBronze(spark, lake, stop, silver.hear)
    policy = RestartPolicy(attempts=3, pause_s=0.2, longest_s=1)
    runner = QueryRunner(query_starts(topics, bronze, silver, ()), policy, states, Diagnosis(lake))
    threads = [threading.Thread(target=runner.run, args=(stop,))]
    threads += [threading.Thread(target=shared.run) for shared in (bronze, silver)]
    for thread in threads:
        thread.start()
    try:
        yield states
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def becomes(states: QueryStates, query: str, state: State) -> QueryState:
    deadline = time.monotonic() + PATIENCE_S
    while states.of(query).state is not state:
        assert time.monotonic() < deadline, f"{query} is {states.of(query)}, not {state}"
        time.sleep(0.1)
    return states.of(query)


def held(lake: Settings, topic: str) -> None:
    report = wait_until_it_holds(lake, [topic], PATIENCE_S, lambda _: None)
    assert report.holds, [str(finding) for topic in report.topics.values() for finding in topic.findings]


def test_columns_that_others_add_are_null_in_our_rows_and_stop_nothing(
    spark: SparkSession, lake: Settings, broker: OwnBroker, rows: Rows
) -> None:
    with running(spark, lake, (TOPIC,)) as states:
        becomes(states, f"silver/{TOPIC}", State.RUNNING)
        broker.send(TOPIC, encode(transaction("before")), b"bad")
        held(lake, TOPIC)
        for layer in LAYERS:
            spark.sql(f"ALTER TABLE delta.`{layer(TOPIC).path(lake)}` ADD COLUMNS (note STRING, seen STRUCT<at: DATE>)")
        broker.send(TOPIC, encode(transaction("after")), b"worse")
        held(lake, TOPIC)
    with running(spark, lake, (TOPIC,)) as states:
        broker.send(TOPIC, encode(transaction("after a restart")))
        held(lake, TOPIC)
        assert becomes(states, f"silver/{TOPIC}", State.RUNNING).sentence == ""
    found = {row["event_id"]: row["note"] for row in rows(tables.silver(TOPIC).name)}
    assert {transaction(name)["id"]: None for name in ("before", "after", "after a restart")}.items() <= found.items()
    assert {row["note"] for row in rows(f"quarantine/{TOPIC}")} == {None}
    assert {row["note"] for row in rows(f"bronze/{TOPIC}")} == {None}


def test_states_go_on_over_a_column_that_others_added_to_silver(shop: Shop) -> None:
    shop.arrive(recent_lines(11, 60))
    queries = shop.stream()
    shop.spark.sql(f"ALTER TABLE delta.`{tables.silver(TOPIC).path(shop.settings)}` ADD COLUMNS (note STRING)")
    shop.arrive(recent_lines(12, 60))
    for query in queries:
        query.stop()
    shop.run_stream()
    assert_as_judged(shop)


def test_a_column_that_cannot_be_filled_fails_its_query_alone_until_the_sentence_was_followed(
    spark: SparkSession, lake: Settings, broker: OwnBroker
) -> None:
    path = tables.silver(TOPIC).path(lake)
    spark.sql(f"DROP TABLE IF EXISTS delta.`{path}`")
    shutil.rmtree(path)
    spark.sql(
        f"CREATE TABLE delta.`{path}` ({tables.silver(TOPIC).ddl}, note STRING NOT NULL) USING delta "
        "PARTITIONED BY (event_month)"
    )
    with running(spark, lake, (TOPIC, OTHER)) as states:
        failed = becomes(states, f"silver/{TOPIC}", State.FAILED)
        assert failed.sentence.startswith(f"{tables.silver(TOPIC).name} at {path} differs from its declaration: ")
        broker.send(TOPIC, encode(transaction("waits")))
        broker.send(OTHER, b"goes on")
        held(lake, OTHER)
        assert states.of(f"silver/{TOPIC}") == failed
        for query in (f"bronze/{TOPIC}", f"silver/{OTHER}"):
            becomes(states, query, State.RUNNING)
        spark.sql(failed.sentence.split("run in Spark SQL: ")[1])
        becomes(states, f"silver/{TOPIC}", State.RUNNING)
        held(lake, TOPIC)


def test_messages_that_the_broker_lost_unread_are_named_and_stop_their_topic_alone(
    spark: SparkSession, lake: Settings, broker: OwnBroker
) -> None:
    with running(spark, lake, (TOPIC,)) as states:
        broker.send(TOPIC, encode(transaction("read")))
        held(lake, TOPIC)
    first = _end(broker)
    broker.send(TOPIC, *(encode(transaction(f"lost {number}")) for number in range(5)))
    _delete_before(broker, first + 3)
    with running(spark, lake, (TOPIC, OTHER)) as states:
        failed = becomes(states, f"bronze/{TOPIC}", State.FAILED)
        assert failed.sentence == (
            f"{TOPIC}: the broker removed messages before they were read, by its retention or by hand: partition 0 "
            f"offsets {first} to {first + 2} (3); run `tidemill stream accept-loss {TOPIC}` to put the loss on record "
            "and go on after it"
        )
        broker.send(OTHER, b"goes on")
        held(lake, OTHER)
        becomes(states, f"silver/{TOPIC}", State.RUNNING)


def _end(broker: OwnBroker) -> int:
    consumer = Consumer({"bootstrap.servers": broker.servers, "group.id": "test"})
    try:
        return int(consumer.get_watermark_offsets(TopicPartition(TOPIC, 0), timeout=30)[1])
    finally:
        consumer.close()


def _delete_before(broker: OwnBroker, offset: int) -> None:
    admin = AdminClient({"bootstrap.servers": broker.servers})  # the answers come as long as it lives
    for future in admin.delete_records([TopicPartition(TOPIC, 0, offset)], request_timeout=30).values():
        future.result()


def test_a_bronze_table_made_anew_fails_silver_until_its_checkpoint_was_removed(
    spark: SparkSession, lake: Settings, broker: OwnBroker
) -> None:
    with running(spark, lake, (TOPIC,)):
        broker.send(TOPIC, encode(transaction("old table")))
        held(lake, TOPIC)
    shutil.rmtree(tables.bronze(TOPIC).path(lake))
    with running(spark, lake, (TOPIC,)) as states:
        failed = becomes(states, f"silver/{TOPIC}", State.FAILED)
        sentence, command = failed.sentence.split(": rm -r ")
        assert sentence == (
            "bronze was made anew since this query began to read it; "
            "have it read all of bronze again, which writes nothing twice"
        )
        shutil.rmtree(command)
        becomes(states, f"silver/{TOPIC}", State.RUNNING)
        held(lake, TOPIC)


@pytest.mark.parametrize("query", ["bronze", "silver"])
def test_an_unknown_error_of_spark_is_kept_in_its_own_words(spark: SparkSession, lake: Settings, query: str) -> None:
    failure = Diagnosis(lake)(f"{query}/{TOPIC}", ValueError("[SOMETHING] no idea\nwith details"))
    assert (failure.sentence, failure.is_final) == ("[SOMETHING] no idea", False)
