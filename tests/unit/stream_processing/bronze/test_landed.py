"""Files of bronze and the commits that take them in: each message once, whoever writes, and the position beside it."""

import json
from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from data_lake import tables
from data_lake.delta_tables import create_table
from data_lake.topic_starts import TopicStart
from data_lake.topic_starts.positions import application_id, positions
from ingestion_layer.kafka.identity import TopicIdentity
from stream_processing.spark_streaming.bronze.commit import BronzeTable, MappedColumnsError, OtherWriterError
from stream_processing.spark_streaming.bronze.files import FileWriter, Target
from stream_processing.spark_streaming.silver.judging import MESSAGE_SCHEMA
from tidemill.config import Settings, load_settings

CLICKS, SALES = "shop.click.v1", "shop.transaction.v1"
AT = datetime(2024, 5, 1, 9, 30, 0, 123456, tzinfo=UTC)
WRITTEN_BY_SPARK = pa.schema([field for field in MESSAGE_SCHEMA if field.name != "generation"])


@pytest.fixture
def settings(tmp_path: Any) -> Settings:
    settings = load_settings({"TIDEMILL_HOME": str(tmp_path)})
    for topic in (CLICKS, SALES):
        create_table(tables.bronze(topic), settings)
    return settings


def start(topic: str, topic_id: str = "id", generation: int = 1) -> TopicStart:
    identity = TopicIdentity("cluster", topic_id)
    return TopicStart(topic, 1, generation, identity, {}, "the first", "ada", AT)


def messages(topic: str, partition: int, offsets: Iterable[int]) -> pa.RecordBatch:
    rows = [
        {
            "topic": topic,
            "partition": partition,
            "offset": offset,
            "broker_time": AT,
            "key": None,
            "value": f"{partition}/{offset}".encode(),
            "headers": [{"key": "k", "value": None}],
            "ingested_at": AT,
            "ingest_date": AT.date(),
        }
        for offset in offsets
    ]
    return pa.RecordBatch.from_pylist(rows, schema=WRITTEN_BY_SPARK)


def written(settings: Settings, *batches: pa.RecordBatch, generation: int = 1) -> dict[str, list[dict[str, Any]]]:
    """What the executors say of the files they wrote, by topic."""
    targets = {topic: Target(tables.bronze(topic).path(settings), generation) for topic in (CLICKS, SALES)}
    (found,) = FileWriter(targets, {})(iter(batches))
    files: dict[str, list[dict[str, Any]]] = {CLICKS: [], SALES: []}
    for file in found.to_pylist(maps_as_pydicts="strict"):
        files[file["topic"]].append(file)
    return files


def places(settings: Settings, topic: str) -> list[tuple[int, int, int]]:
    rows = DeltaTable(tables.bronze(topic).path(settings)).to_pyarrow_table().to_pylist()
    return sorted((row["generation"], row["partition"], row["offset"]) for row in rows)


def test_the_messages_of_several_topics_become_a_file_each_with_what_its_log_has_to_say(settings: Settings) -> None:
    batches = [
        messages(SALES, 0, (3, 4)),
        messages(CLICKS, 1, (7,)),
        messages(SALES, 2, (1,)),
        messages("other", 0, (1,)),
    ]
    files = written(settings, *batches, generation=2)
    assert [len(files[topic]) for topic in (CLICKS, SALES)] == [1, 1]
    assert files[SALES][0]["firsts"] == {0: 3, 2: 1}
    statistics = json.loads(files[SALES][0]["statistics"])
    assert statistics["numRecords"] == 3
    assert statistics["minValues"] == {"generation": 2, "partition": 0, "offset": 1}
    assert statistics["maxValues"] == {"generation": 2, "partition": 2, "offset": 4}
    assert places(settings, SALES) == []  # not part of the table before its log says so

    BronzeTable(settings, start(SALES, generation=2), {}).commit(files[SALES], {0: 5, 2: 2})
    assert places(settings, SALES) == [(2, 0, 3), (2, 0, 4), (2, 2, 1)]
    (row, *_) = DeltaTable(tables.bronze(SALES).path(settings)).to_pyarrow_table().to_pylist()
    assert (row["broker_time"], row["ingest_date"], row["headers"]) == (
        AT,
        date(2024, 5, 1),
        [{"key": "k", "value": None}],
    )


def test_a_start_goes_on_where_the_table_says(settings: Settings) -> None:
    begun = start(SALES)
    bronze = BronzeTable(settings, begun, {0: 3})
    assert bronze.commit(written(settings, messages(SALES, 0, (3, 4)))[SALES], {0: 5, 1: 0}) == 2
    assert positions(settings, SALES, begun, range(3)) == {0: 5}
    # Offsets of no message, such as the marker that ends a transaction, are behind us too.
    assert bronze.commit([], {0: 9}) == 4
    assert positions(settings, SALES, begun, range(3)) == {0: 9}
    assert bronze.commit([], {0: 9}) == 0
    assert DeltaTable(tables.bronze(SALES).path(settings)).version() == 2
    for other in (start(SALES, "another topic of the name"), start(SALES, generation=2)):
        assert positions(settings, SALES, other, range(3)) == {}


@pytest.mark.parametrize("when", ["before the look", "between the look and the commit"])
def test_of_two_that_write_the_same_messages_one_fails_and_each_is_there_once(settings: Settings, when: str) -> None:
    first, second = (BronzeTable(settings, start(SALES), {}) for _ in range(2))
    one, two = (written(settings, messages(SALES, 0, (0, 1)))[SALES] for _ in range(2))
    first.commit(one, {0: 2})
    with pytest.MonkeyPatch.context() as patched:
        if when != "before the look":
            patched.setattr(DeltaTable, "update_incremental", lambda self: None)
        with pytest.raises(OtherWriterError, match="another stream application writes it too"):
            second.commit(two, {0: 2})
    assert places(settings, SALES) == [(1, 0, 0), (1, 0, 1)]
    with pytest.raises(OtherWriterError, match="offset 1 of partition 0"):
        first.commit(written(settings, messages(SALES, 0, (1, 2)))[SALES], {0: 3})


def test_where_a_topic_goes_on_is_known_of_partitions_without_messages_too(settings: Settings) -> None:
    bronze = BronzeTable(settings, start(SALES), {0: 0})
    assert bronze.commit([], {0: 0, 1: 0}) == 0
    assert bronze.position == {0: 0, 1: 0}


def test_a_commit_of_maintenance_in_between_does_not_matter(settings: Settings) -> None:
    bronze = BronzeTable(settings, start(SALES), {})
    bronze.commit(written(settings, messages(SALES, 0, (0,)))[SALES], {0: 1})
    bronze.commit(written(settings, messages(SALES, 0, (1,)))[SALES], {0: 2})
    DeltaTable(tables.bronze(SALES).path(settings)).optimize.compact()
    bronze.commit(written(settings, messages(SALES, 0, (2,)))[SALES], {0: 3})
    assert [offset for _, _, offset in places(settings, SALES)] == [0, 1, 2]
    assert positions(settings, SALES, start(SALES), [0]) == {0: 3}


def test_positions_outlive_checkpoints_of_the_log(settings: Settings) -> None:
    bronze = BronzeTable(settings, start(SALES), {})
    bronze.commit(written(settings, messages(SALES, 0, (0,)))[SALES], {0: 1})
    delta = DeltaTable(tables.bronze(SALES).path(settings))
    delta.create_checkpoint()
    write_deltalake(delta, delta.to_pyarrow_table().slice(0, 0), mode="append")
    delta.create_checkpoint()
    assert DeltaTable(tables.bronze(SALES).path(settings)).transaction_version(application_id(start(SALES), 0)) == 1


def test_a_lake_of_before_goes_on_from_sparks_checkpoint(settings: Settings, tmp_path: Any) -> None:
    folder = tmp_path / "checkpoints" / "bronze" / SALES
    for name in ("offsets", "commits"):
        (folder / name).mkdir(parents=True)
        (folder / name / "4").write_text(f'v1\n{{}}\n{{"{SALES}": {{"0": 40, "1": 2}}}}', encoding="utf-8")
    begun = start(SALES)
    assert positions(settings, SALES, begun, range(2)) == {0: 40, 1: 2}
    BronzeTable(settings, begun, {0: 40, 1: 2}).commit(written(settings, messages(SALES, 0, (40,)))[SALES], {0: 41})
    assert positions(settings, SALES, begun, range(2)) == {0: 41, 1: 2}


def test_columns_with_other_names_in_the_files_are_refused(settings: Settings) -> None:
    log = Path(tables.bronze(SALES).path(settings)) / "_delta_log" / f"{0:020}.json"
    mapped = log.read_text(encoding="utf-8").replace(
        '"configuration":{', '"configuration":{"delta.columnMapping.mode":"name",'
    )
    log.write_text(mapped, encoding="utf-8")
    files = written(settings, messages(SALES, 0, (0,)))[SALES]
    with pytest.raises(MappedColumnsError, match=r"DROP FEATURE columnMapping$"):
        BronzeTable(settings, start(SALES), {}).commit(files, {0: 1})
    assert len(list(log.parent.glob("*.json"))) == 1
