"""Which topic bronze reads: another one of the same name, an older copy, another cluster, a lost checkpoint, a loss."""

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from data_lake import own_tables, tables
from data_lake.reconciliation.reconcile import reconcile_topic
from data_lake.table import Table
from data_lake.topic_starts import OffsetsGoneError, OtherTopicError, resume, starts
from ingestion_layer.kafka.identity import topic_identity
from stream_processing.spark_streaming.bronze.landing import RUNS, start_bronze
from tests.integration.own_broker import OwnBroker
from tests.integration.stream_processing.conftest import TOPIC, encode, transaction
from tests.integration.stream_processing.test_stream import streaming
from tidemill.cli import cli
from tidemill.config import Settings
from tidemill.config.environment import settings_environment

pytestmark = pytest.mark.timeout(900)
Tidemill = Callable[..., Any]


@pytest.fixture
def tidemill(own: Settings, monkeypatch: pytest.MonkeyPatch) -> Tidemill:
    """Run the command line with the settings of the test; what it printed, from JSON."""
    for name, value in settings_environment(own).items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str) -> Any:
        done = CliRunner().invoke(cli, [*arguments, "--json"], catch_exceptions=False)
        return json.loads(done.stdout)

    return run


def sales(name: str, *numbers: int) -> list[bytes]:
    return [encode(transaction(f"{name} {number}")) for number in numbers]


def run(spark: SparkSession, settings: Settings) -> None:
    """Both queries, until everything that can be read is read."""
    with streaming(spark, settings):
        pass


def rows(settings: Settings, table: Table) -> list[dict[str, Any]]:
    return list(DeltaTable(table.path(settings)).to_pyarrow_table().to_pylist())


def events(settings: Settings) -> set[str]:
    return {row["event_id"] for row in rows(settings, tables.silver(TOPIC))}


def ids(*values: bytes) -> set[str]:
    return {json.loads(value)["id"] for value in values}


def said(settings: Settings) -> list[str]:
    return [str(finding) for finding in reconcile_topic(settings, TOPIC).findings]


@pytest.mark.matrix
def test_a_topic_made_anew_while_the_stream_was_down_is_refused_and_then_read_from_its_beginning(
    spark: SparkSession, broker: OwnBroker, own: Settings, tidemill: Tidemill
) -> None:
    broker.send(TOPIC, *sales("old", 0, 1, 2), b"bad")
    run(spark, own)
    of_old = topic_identity(own, TOPIC)
    broker.make_anew(TOPIC)
    broker.send(TOPIC, *sales("new", *range(10)), b"bad", b"worse", b"{", b"[", *sales("new", 10, 11, 12))
    with pytest.raises(OtherTopicError) as refused:
        start_bronze(spark, own, TOPIC)
    assert any(f"bronze has read {of_old}" in finding for finding in said(own))
    for part in (of_old.topic_id, topic_identity(own, TOPIC).topic_id, f"tidemill stream new-generation {TOPIC}"):
        assert part in str(refused.value)

    begun = tidemill("stream", "new-generation", TOPIC, "--yes", "--by", "ada")
    assert (begun["generation"], begun["offsets"], begun["started_by"]) == (2, {"0": 0, "1": 0}, "ada")
    run(spark, own)
    assert events(own) == ids(*sales("old", 0, 1, 2), *sales("new", *range(13)))
    quarantined = [(row["generation"], row["offset"]) for row in rows(own, tables.quarantine(TOPIC))]
    assert sorted(quarantined) == [(1, 3), (2, 10), (2, 11), (2, 12), (2, 13)]
    report = reconcile_topic(own, TOPIC)
    assert (report.findings, report.ended_generations, report.bronze_rows) == ((), {1: 4}, 21)
    assert [row["generation"] for row in tidemill("stream", "starts", TOPIC)] == [1, 2]

    printed = CliRunner().invoke(cli, ["reconcile", "--topic", TOPIC]).stdout
    assert "generation 1 has ended: 4 of the rows in bronze, which the broker no longer has" in printed

    bronze = DeltaTable(tables.bronze(TOPIC).path(own))
    bronze.alter.set_table_properties({"delta.appendOnly": "false"})
    bronze.delete("generation = 1 AND offset = 3")
    counted = "rows of a generation that ended, counted then and now: 1"
    assert f"{counted} (generation 1 partition 0: 3 rows, 4 when it ended)" in said(own)


def test_a_topic_made_anew_under_a_running_query_stops_it(
    spark: SparkSession, broker: OwnBroker, own: Settings
) -> None:
    broker.send(TOPIC, *sales("old", 0, 1))
    query = start_bronze(spark, own, TOPIC)
    query.processAllAvailable()
    broker.make_anew(TOPIC)
    deadline = time.monotonic() + 120
    while query.isActive:
        assert time.monotonic() < deadline, "the query goes on in the other topic"
        time.sleep(0.2)
    with pytest.raises(OtherTopicError):
        start_bronze(spark, own, TOPIC)


@pytest.mark.matrix
@pytest.mark.parametrize(
    "more",
    [pytest.param(0, id="shorter"), pytest.param(5, id="grown past its old end")],
)
def test_a_broker_restored_from_an_older_copy_is_refused(
    spark: SparkSession, broker: OwnBroker, own: Settings, more: int, tidemill: Tidemill
) -> None:
    broker.send(TOPIC, *sales("before", 0, 1))
    broker.stop()
    copy = shutil.copytree(broker.data, Path(own.lake_root).parent / "copy")
    broker.start()
    broker.send(TOPIC, *sales("lost", 0, 1))
    run(spark, own)
    broker.stop()
    shutil.rmtree(broker.data)
    shutil.copytree(copy, broker.data)
    broker.start()
    broker.send(TOPIC, *sales("after", *range(more)))
    ends_before = "ends before offset 2, bronze has read up to offset 3"
    with pytest.raises(OtherTopicError, match="another message at offset 3" if more else ends_before):
        start_bronze(spark, own, TOPIC)
    tidemill("stream", "new-generation", TOPIC, "--yes")
    run(spark, own)
    assert events(own) == ids(*sales("before", 0, 1), *sales("lost", 0, 1), *sales("after", *range(more)))
    assert said(own) == []


@pytest.mark.matrix
def test_another_cluster_behind_the_same_address_is_refused(
    spark: SparkSession, broker: OwnBroker, own: Settings, tmp_path: Path
) -> None:
    broker.send(TOPIC, *sales("here", 0))
    run(spark, own)
    cluster = topic_identity(own, TOPIC).cluster_id
    broker.stop()
    shutil.move(broker.data, tmp_path / "elsewhere")
    broker.start()
    broker.make_anew(TOPIC)
    broker.send(TOPIC, *sales("there", 0, 1))
    with pytest.raises(OtherTopicError, match=f"bronze has read topic id .* of cluster {cluster}"):
        start_bronze(spark, own, TOPIC)


def test_lost_checkpoints_of_bronze_are_of_no_use_and_nothing_is_read_twice(
    spark: SparkSession, broker: OwnBroker, own: Settings
) -> None:
    broker.send(TOPIC, *sales("one", 0, 1))
    broker.send(TOPIC, *sales("other", 0), partition=1)
    run(spark, own)
    shutil.rmtree(Path(own.checkpoints) / RUNS)
    broker.send(TOPIC, *sales("later", 0))
    run(spark, own)
    assert sorted((row["partition"], row["offset"]) for row in rows(own, tables.bronze(TOPIC))) == [
        (0, 0),
        (0, 1),
        (0, 2),
        (1, 0),
    ]
    assert said(own) == []
    (start,) = starts(own, TOPIC)
    assert (start.offsets, start.generation) == ({0: 0, 1: 0}, 1)


@pytest.mark.matrix
def test_partitions_that_a_topic_gets_are_read(spark: SparkSession, broker: OwnBroker, own: Settings) -> None:
    broker.send(TOPIC, *sales("one", 0))
    run(spark, own)
    admin = AdminClient({"bootstrap.servers": broker.servers})
    admin.create_partitions([NewPartitions(TOPIC, 4)])[TOPIC].result()
    time.sleep(1)
    broker.send(TOPIC, *sales("new", 0, 1), partition=3)
    run(spark, own)
    assert events(own) == ids(*sales("one", 0), *sales("new", 0, 1))
    assert said(own) == []


@pytest.mark.matrix
def test_a_lake_of_before_the_record_is_put_on_record_as_it_is(
    spark: SparkSession, broker: OwnBroker, own: Settings
) -> None:
    broker.send(TOPIC, *sales("one", 0, 1))
    run(spark, own)
    shutil.rmtree(own_tables.TOPIC_STARTS.path(own))
    broker.send(TOPIC, *sales("later", 0))
    run(spark, own)
    (start,) = starts(own, TOPIC)
    assert (start.generation, start.identity, start.offsets) == (1, topic_identity(own, TOPIC), {0: 0, 1: 0})
    assert len(rows(own, tables.bronze(TOPIC))) == 3
    assert said(own) == []


@pytest.mark.matrix
def test_each_commit_of_bronze_says_where_its_rows_come_from(
    spark: SparkSession, broker: OwnBroker, own: Settings
) -> None:
    broker.send(TOPIC, *sales("one", 0))
    run(spark, own)
    identity = topic_identity(own, TOPIC)
    history = DeltaTable(tables.bronze(TOPIC).path(own)).history()
    (written,) = (commit for commit in history if commit["operation"] == "WRITE")
    assert json.loads(written["userMetadata"]) == {
        "topic": TOPIC,
        "cluster_id": identity.cluster_id,
        "topic_id": identity.topic_id,
        "generation": 1,
        "start": 1,
    }


def remove_before(broker: OwnBroker, offset: int) -> None:
    """As retention does: the broker forgets what is before ``offset`` in partition 0."""
    admin = AdminClient({"bootstrap.servers": broker.servers})
    for future in admin.delete_records([TopicPartition(TOPIC, 0, offset)]).values():
        future.result()


@pytest.mark.matrix
def test_what_retention_removed_unread_is_named_given_up_and_counted(
    spark: SparkSession, broker: OwnBroker, own: Settings, tidemill: Tidemill
) -> None:
    broker.send(TOPIC, *sales("read", 0, 1))
    run(spark, own)
    broker.send(TOPIC, *sales("lost", 0, 1, 2), *sales("kept", 0))
    remove_before(broker, 5)
    with pytest.raises(OffsetsGoneError, match=r"partition 0 offsets 2 to 4 \(3\).*stream accept-loss"):
        start_bronze(spark, own, TOPIC)
    assert said(own) == [
        "the broker has them, bronze does not: 1 (partition 0 offsets 5 to 5)",
        "bronze never had them, and the broker no longer has them: 3 (partition 0 offsets 2 to 4)",
    ]
    asked = CliRunner().invoke(cli, ["stream", "accept-loss", TOPIC], input="n\n")
    assert (asked.exit_code, len(starts(own, TOPIC))) == (1, 1)
    assert "partition 0 offsets 2 to 4 (3), sent after 20" in asked.output
    accepted = tidemill("stream", "accept-loss", TOPIC, "--yes")
    assert accepted["lost"] == [{"partition": 0, "first": 2, "last": 4}]
    run(spark, own)
    assert events(own) == ids(*sales("read", 0, 1), *sales("kept", 0))
    report = reconcile_topic(own, TOPIC)
    assert (report.findings, [loss.messages for loss in report.accepted_loss]) == ((), [3])
    printed = CliRunner().invoke(cli, ["reconcile", "--topic", TOPIC]).stdout
    assert "accepted loss: partition 0 offsets 2 to 4 (3)" in printed
    bronze = DeltaTable(tables.bronze(TOPIC).path(own))
    bronze.alter.set_table_properties({"delta.appendOnly": "false"})
    bronze.delete("offset = 1 OR offset = 5")
    assert said(own)[:2] == [
        "the broker has them, bronze does not: 1 (partition 0 offsets 5 to 5)",
        "bronze never had them, and the broker no longer has them: 1 (partition 0 offsets 1 to 1)",
    ]


@pytest.mark.matrix
def test_nothing_is_given_up_without_need(spark: SparkSession, broker: OwnBroker, own: Settings) -> None:
    broker.send(TOPIC, *sales("read", 0, 1))
    run(spark, own)
    remove_before(broker, 2)
    start, position = resume(own, TOPIC)
    assert (start.start, position) == (1, {0: 2, 1: 0})
    with streaming(spark, own):
        broker.send(TOPIC, *sales("later", 0))
    assert len(events(own)) == 3
