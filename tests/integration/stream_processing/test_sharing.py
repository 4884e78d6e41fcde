"""What is shared by all topics while all is well, and what one in trouble does by itself."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from data_lake import tables
from data_lake.commits import table_id
from data_lake.delta_tables import ensure_table
from data_lake.reconciliation import wait_until_it_holds
from data_lake.table import Table
from stream_processing.spark_streaming.bronze import landing
from stream_processing.spark_streaming.bronze.sharing import SharedBronze
from stream_processing.spark_streaming.queries.query import checkpoint
from stream_processing.spark_streaming.queries.restarts import works
from stream_processing.spark_streaming.queries.states import QueryStates
from stream_processing.spark_streaming.silver import sharing
from stream_processing.spark_streaming.silver.sharing import SharedSilver
from stream_processing.spark_streaming.silver.taken import Taken, read_taken, write_taken
from tests.cases.waiting import eventually
from tests.integration.own_broker import OwnBroker
from tests.integration.stream_processing.conftest import OTHER, TOPIC, encode, transaction
from tests.integration.stream_processing.test_one_tables_trouble import PATIENCE_S
from tidemill.config import Settings

BOTH = (TOPIC, OTHER)


@pytest.fixture
def lake(own: Settings) -> Settings:
    """What other tests have sent would be a flood."""
    return own


@contextmanager
def shared(spark: SparkSession, lake: Settings) -> Iterator[tuple[SharedBronze, SharedSilver]]:
    """Both, of both topics; nobody starts again what fails."""
    stop = threading.Event()
    silver = SharedSilver(spark, lake, QueryStates(), stop)
    bronze = SharedBronze(spark, lake, stop, silver.hear)
    threads = [threading.Thread(target=one.run) for one in (bronze, silver)]
    for thread in threads:
        thread.start()
    try:
        yield bronze, silver
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not spark.streams.active


def held(lake: Settings, *topics: str) -> None:
    report = wait_until_it_holds(lake, topics, PATIENCE_S, lambda _: None)
    assert report.holds, [str(finding) for topic in report.topics.values() for finding in topic.findings]


def operations(lake: Settings, table: Table) -> list[str]:
    return [commit["operation"] for commit in DeltaTable(table.path(lake)).history()]


def test_two_topics_share_a_query_and_a_round_and_a_flood_has_a_query_of_its_own_for_its_time(
    spark: SparkSession, lake: Settings, broker: OwnBroker
) -> None:
    few = lake.model_copy(update={"stream": lake.stream.model_copy(update={"max_offsets_per_trigger": 200})})
    with shared(spark, few) as (bronze, silver):
        members = [one.start(topic) for one in (bronze, silver) for topic in BOTH]

        def share() -> bool:
            return not any(member.own for member in members) and {one.name for one in spark.streams.active} == {
                "bronze"
            }

        eventually(share, "the query of all did not begin")
        before = len(operations(few, tables.silver(TOPIC)))
        broker.send(TOPIC, encode(transaction("first")), b"bad")
        broker.send(OTHER, b"bad too")
        held(few, *BOTH)
        assert share()
        assert all(member.isActive for member in members)
        newest_first = operations(few, tables.silver(TOPIC))
        assert "MERGE" not in newest_first[: len(newest_first) - before]

        broker.send(TOPIC, *(encode(transaction(f"flood {number}")) for number in range(3_000)))
        eventually(lambda: members[0].own is not None, "the flood goes on in the query of all")
        broker.send(OTHER, b"goes on")
        held(few, *BOTH)
        eventually(share, "a topic did not come back, or another query goes on")
        broker.send(TOPIC, encode(transaction("last")))
        held(few, *BOTH)
        assert all(member.isActive for member in members)


def test_a_round_that_fails_leaves_each_topic_to_a_query_of_its_own_and_the_well_one_comes_back(
    spark: SparkSession, lake: Settings, broker: OwnBroker
) -> None:
    with shared(spark, lake) as (bronze, silver):
        ill, well = (silver.start(topic) for topic in BOTH)
        for topic in BOTH:
            bronze.start(topic)
        broker.send(TOPIC, encode(transaction("read")))
        held(lake, *BOTH)
        version = DeltaTable(tables.bronze(TOPIC).path(lake)).version()
        log = Path(tables.bronze(TOPIC).path(lake)) / "_delta_log" / f"{version:020}.json"
        # A commit that names a file which is not there.
        broken = log.read_text(encoding="utf-8").replace("part-", "gone-").replace('"txn"', '"none"')
        log.with_name(f"{version + 1:020}.json").write_text(
            "\n".join(line for line in broken.splitlines() if '"none"' not in line), encoding="utf-8"
        )
        silver.hear(TOPIC)
        eventually(lambda: not ill.isActive, "the topic whose file is gone goes on")
        assert "gone-" in str(ill.exception())
        broker.send(OTHER, b"goes on")
        held(lake, OTHER)
        eventually(lambda: well.own is None, "the other did not come back")
        assert well.isActive


@pytest.mark.matrix
def test_a_process_that_died_in_a_round_leaves_its_topics_to_queries_of_their_own(
    spark: SparkSession, lake: Settings, broker: OwnBroker
) -> None:
    write_taken(lake, TOPIC, Taken(table_id(tables.bronze(TOPIC), lake), -1, is_begun=True))
    with shared(spark, lake) as (bronze, silver):
        suspect, other = (silver.start(topic) for topic in BOTH)
        assert suspect.own is not None
        assert other.own is None
        for topic in BOTH:
            bronze.start(topic)
        broker.send(TOPIC, encode(transaction("suspected")))
        held(lake, *BOTH)
        eventually(lambda: suspect.own is None, "it did not come back")
    version = DeltaTable(tables.bronze(TOPIC).path(lake)).version()
    assert read_taken(lake, TOPIC) == Taken(table_id(tables.bronze(TOPIC), lake), version)


def test_a_query_of_its_own_that_has_read_all_of_bronze_is_gone_on_from(
    spark: SparkSession, lake: Settings, broker: OwnBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "BACK_S", PATIENCE_S)
    ensure_table(spark, tables.bronze(TOPIC), lake)
    write_taken(lake, TOPIC, Taken(table_id(tables.bronze(TOPIC), lake), -1, is_begun=True))
    for name in ("of its own", "of a round"):
        with shared(spark, lake) as (bronze, silver):
            member = silver.start(TOPIC)
            assert (member.own is not None) is (name == "of its own")
            bronze.start(TOPIC)
            broker.send(TOPIC, encode(transaction(name)), name.encode())
            held(lake, TOPIC)
            assert member.isActive
    quarantine = DeltaTable(tables.quarantine(TOPIC).path(lake)).to_pyarrow_table()
    assert sorted(quarantine["value"].to_pylist()) == [b"of a round", b"of its own"]


def test_a_table_that_only_spark_reads_has_a_query_of_its_own_though_nothing_is_new(
    spark: SparkSession, lake: Settings, broker: OwnBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "needs_engine", lambda _: True)
    for name in ("first", "second"):
        with shared(spark, lake) as (bronze, silver):
            bronze.start(TOPIC)
            member = silver.start(TOPIC)
            eventually(lambda query=member.own: works(query) or not query.isActive, "it does not wait for news")
            assert member.own.isActive, member.own.exception()
            broker.send(TOPIC, encode(transaction(name)), name.encode())
            held(lake, TOPIC)
    quarantine = DeltaTable(tables.quarantine(TOPIC).path(lake)).to_pyarrow_table()
    assert sorted(quarantine["value"].to_pylist()) == [b"first", b"second"]


def test_a_round_that_takes_too_long_is_cut_off(
    spark: SparkSession, lake: Settings, broker: OwnBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged = threading.Event()

    def slow(*_: object) -> None:
        spark.range(1).selectExpr("java_method('java.lang.Thread', 'sleep', 600000L)").collect()
        judged.set()

    with shared(spark, lake) as (bronze, silver):
        member = silver.start(TOPIC)
        bronze.start(TOPIC)
        monkeypatch.setattr(sharing, "judge_files", slow)
        monkeypatch.setattr(sharing, "LIMIT_S", 1.0)
        broker.send(TOPIC, encode(transaction("slow")))
        eventually(lambda: member.own is not None, "it waits for ever")
        held(lake, TOPIC)
    assert not judged.is_set()


def test_a_topic_that_cannot_be_landed_leaves_the_shared_query_alone(
    spark: SparkSession, lake: Settings, broker: OwnBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    with shared(spark, lake) as (bronze, silver):
        ill, well = (bronze.start(topic) for topic in BOTH)
        silver.start(OTHER)
        held(lake, OTHER)
        commit = landing.BronzeTable.commit

        def fail(self: landing.BronzeTable, *arguments: object) -> int:
            if self.begun.topic == TOPIC:
                raise OSError("no room for this one")
            return commit(self, *arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(landing.BronzeTable, "commit", fail)
        broker.send(TOPIC, encode(transaction("lost?")))
        eventually(lambda: not ill.isActive, "it goes on")
        assert str(ill.exception()) == "no room for this one"
        broker.send(OTHER, b"goes on")
        held(lake, OTHER)
        assert well.isActive
        monkeypatch.undo()
        own = bronze.start(TOPIC)  # as who keeps it running does, and stops it
        silver.start(TOPIC)
        held(lake, *BOTH)
        assert own.isActive
        own.stop()
    assert list(Path(checkpoint(lake, landing.RUNS)).iterdir())


@pytest.mark.matrix
def test_a_batch_that_failed_after_its_writes_is_not_taken_for_the_first_time_again(
    spark: SparkSession, lake: Settings, broker: OwnBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    with shared(spark, lake) as (bronze, silver):
        member = silver.start(TOPIC)
        bronze.start(TOPIC)
        with monkeypatch.context() as patched:

            def fail(settings: Settings, topic: str, taken: Taken) -> None:
                if not taken.is_begun:
                    raise OSError("the disk is full")
                write_taken(settings, topic, taken)

            patched.setattr(sharing, "write_taken", fail)
            broker.send(TOPIC, encode(transaction("written")), b"bad")
            eventually(lambda: not member.isActive, "the failure is not told")
        assert str(member.exception()) == "the disk is full"
        again = silver.start(TOPIC)  # as who keeps it running does
        assert again.own is not None
        held(lake, TOPIC)
        eventually(lambda: again.own is None, "it did not come back")
        broker.send(TOPIC, b"worse")
        held(lake, TOPIC)


@pytest.mark.parametrize("is_lost", [True, False], ids=["lost", "lagging"])
def test_a_message_comes_into_quarantine_once_whatever_is_noted_of_how_far_silver_has_come(
    spark: SparkSession, lake: Settings, broker: OwnBroker, is_lost: bool
) -> None:
    with shared(spark, lake) as (bronze, silver):
        for half in (bronze, silver):
            half.start(TOPIC)
        broker.send(TOPIC, encode(transaction("good")), b"bad")
        held(lake, TOPIC)
    shutil.rmtree(checkpoint(lake, f"silver/{TOPIC}"))
    if not is_lost:
        write_taken(lake, TOPIC, Taken(table_id(tables.bronze(TOPIC), lake), 0))
    with shared(spark, lake) as (bronze, silver):
        for half in (bronze, silver):
            half.start(TOPIC)
        broker.send(TOPIC, b"worse")
        held(lake, TOPIC)
    quarantine = DeltaTable(tables.quarantine(TOPIC).path(lake)).to_pyarrow_table()
    assert sorted(quarantine["value"].to_pylist()) == [b"bad", b"worse"]
    assert DeltaTable(tables.silver(TOPIC).path(lake)).to_pyarrow_table().num_rows == 1
