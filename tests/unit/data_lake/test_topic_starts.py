"""The record of starts, and where bronze ends, without a broker and without Spark."""

import json
import random
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from pyspark.sql.types import StructType

from data_lake import tables
from data_lake.delta_rs import location, open_table
from data_lake.maintenance import maintain
from data_lake.own_tables import TOPIC_STARTS
from data_lake.sql import connect
from data_lake.topic_starts import bronze_ends, loss_times
from data_lake.topic_starts.bronze_ends import extents, last_messages, last_offsets
from data_lake.topic_starts.checkpoint import read_checkpoint
from data_lake.topic_starts.loss import Range, lost_ranges
from data_lake.topic_starts.record import TopicStart, append, starts
from ingestion_layer.kafka.identity import TopicIdentity
from ingestion_layer.kafka.offsets import Offsets
from tidemill.config import Settings

TOPIC = "shop.transaction.v1"
AT = datetime(2024, 5, 1, 12, 0, 0, 123000, UTC)
BRONZE = pa.schema(
    [
        ("partition", pa.int32()),
        ("offset", pa.int64()),
        ("broker_time", pa.timestamp("us", "UTC")),
        ("key", pa.binary()),
        ("value", pa.binary()),
        ("ingest_date", pa.date32()),
        ("generation", pa.int32()),
    ]
)
STATISTICS = {"delta.dataSkippingStatsColumns": "generation,partition,offset"}


def start(number: int = 1, lost: tuple[Range, ...] = ()) -> TopicStart:
    identity = TopicIdentity("cluster", "topic")
    return TopicStart(TOPIC, number, 1, identity, {0: 5, 3: 2}, "why", "ada", AT, lost, {0: 9}, {0: 4})


def message(generation: int | None, partition: int, offset: int) -> dict[str, object]:
    value = f"{generation or 1}/{partition}/{offset}".encode()
    time = AT + timedelta(seconds=offset)
    known = {"generation": generation, "broker_time": time, "key": None, "value": value}
    return {"partition": partition, "offset": offset, "ingest_date": date(2024, 5, 1), **known}


def test_a_start_is_read_as_it_was_written_and_its_table_is_as_declared(settings: Settings) -> None:
    assert starts(settings, TOPIC) == ()
    append(settings, start(2, (Range(0, 3, 4), Range(1, 0, 9))))
    append(settings, start(1))
    assert starts(settings, TOPIC) == (start(1), start(2, (Range(0, 3, 4), Range(1, 0, 9))))
    assert starts(settings, "shop.click.v1") == ()
    written = StructType.fromJson(json.loads(DeltaTable(location(TOPIC_STARTS, settings)).schema().to_json()))
    assert [(field.name, field.dataType.simpleString(), field.nullable) for field in written] == [
        (column.name, column.sql_type.lower().replace(" ", ""), column.nullable) for column in TOPIC_STARTS.columns
    ]


def test_the_record_is_asked_in_sql_and_maintained_like_any_table(settings: Settings) -> None:
    for number in range(1, 8):
        append(settings, start(number, (Range(0, 3, 4),)))
    assert maintain(TOPIC_STARTS, open_table(TOPIC_STARTS, settings), vacuum_hours=168).files_merged == 7
    assert [recorded.start for recorded in starts(settings, TOPIC)] == list(range(1, 8))
    sql = "SELECT max(start), max(offsets[3]), max(lost[1].last) FROM control.topic_starts"
    with connect(settings, sql) as connection:
        assert connection.execute(sql).fetchall() == [(7, 2, 4)]


def test_the_record_is_read_after_its_files_were_rewritten_by_delta_rs(settings: Settings) -> None:
    append(settings, start(1))
    open_table(TOPIC_STARTS, settings).update(updates={"reason": "'another'"}, predicate="start = 1")
    assert [recorded.reason for recorded in starts(settings, TOPIC)] == ["another"]


def test_the_first_start_has_the_querys_own_checkpoint_and_each_other_one_of_its_own() -> None:
    assert [start(number).checkpoint for number in (1, 2)] == [f"bronze/{TOPIC}", f"bronze/{TOPIC}@2"]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("with_statistics", [True, False], ids=["statistics", "none"])
def test_bronze_ends_where_a_look_at_every_row_says(settings: Settings, seed: int, with_statistics: bool) -> None:
    rng = random.Random(seed)
    path, rows = tables.bronze(TOPIC).path(settings), []
    properties = STATISTICS if with_statistics else {"delta.dataSkippingStatsColumns": "ingest_date"}
    for generation in (None, 1, 2):
        for _ in range(rng.randrange(1, 5)):
            partitions = rng.sample(range(4), rng.randrange(1, 4))
            some = [
                message(generation, rng.choice(partitions), rng.randrange(1000)) for _ in range(rng.randrange(1, 9))
            ]
            rows += some
            table = pa.Table.from_pylist(some, schema=BRONZE)
            write_deltalake(path, table, mode="append", partition_by=["ingest_date"], configuration=properties)
    for generation in (1, 2):
        of_generation = [row for row in rows if (row["generation"] or 1) == generation]
        offsets: dict[int, list[int]] = {}
        for row in of_generation:
            offsets.setdefault(row["partition"], []).append(row["offset"])
        last = last_messages(settings, TOPIC, generation)
        assert {partition: of.offset for partition, of in last.items()} == {p: max(of) for p, of in offsets.items()}
        assert all(of.value == f"{generation}/{p}/{of.offset}".encode() for p, of in last.items())
        assert all(of.broker_time == AT + timedelta(seconds=of.offset) for of in last.values())
        some = rng.sample(range(4), 2)
        assert last_offsets(settings, TOPIC, generation, some) == {p: max(of) for p, of in offsets.items() if p in some}
        counted = {p: (of.first, of.last, of.rows) for p, of in extents(settings, TOPIC, generation).items()}
        assert counted == {p: (min(of), max(of), len(of)) for p, of in offsets.items()}


@pytest.fixture
def opened(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> list[bronze_ends._File]:
    """Which files of bronze were read, of 20 that each have 10 messages of partition 0 and of 2, and none of 1."""
    for first in range(0, 200, 10):
        some = [message(1, partition, first + number) for partition in (0, 2) for number in range(10)]
        table = pa.Table.from_pylist(some, schema=BRONZE)
        path = tables.bronze(TOPIC).path(settings)
        write_deltalake(path, table, mode="append", partition_by=["ingest_date"], configuration=STATISTICS)
    opened, read = [], bronze_ends._File.positions

    def positions(file: bronze_ends._File, generation: int) -> pa.Table:
        opened.append(file)
        return read(file, generation)

    monkeypatch.setattr(bronze_ends._File, "positions", positions)
    return opened


def test_for_a_partition_that_can_have_no_message_no_file_is_opened(
    settings: Settings, opened: list[bronze_ends._File]
) -> None:
    assert last_offsets(settings, TOPIC, 1, (0, 2)) == {0: 199, 2: 199}
    assert len(opened) == 1


def test_when_lost_messages_were_sent_is_looked_for_in_the_newest_files(
    settings: Settings, opened: list[bronze_ends._File], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker, which has nothing left here, is played."""
    append(settings, replace(start(), offsets={0: 0, 1: 3, 2: 0}))
    lost = (Range(0, 200, 204), Range(1, 3, 9))
    monkeypatch.setattr(loss_times, "topic_offsets", lambda *_: {0: Offsets(205, 205, 205), 1: Offsets(10, 10, 10)})
    reader = SimpleNamespace(messages=lambda *_: iter(()))
    monkeypatch.setattr(loss_times, "range_reader", lambda *_: nullcontext(reader))
    found = loss_times.timed(settings, TOPIC, lost)
    assert [(loss.lost, loss.after, loss.before) for loss in found] == [
        (lost[0], AT + timedelta(seconds=199), None),
        (lost[1], None, None),
    ]
    assert len(opened) == 1


def test_a_checkpoint_is_where_its_last_finished_batch_ended(settings: Settings) -> None:
    assert read_checkpoint(settings, "bronze/t@2", "t") == {}
    folder = Path(settings.checkpoints) / "bronze" / "t@2"
    for name, batches in {"offsets": (8, 9, 10), "commits": (8, 9)}.items():
        (folder / name).mkdir(parents=True)
        for batch in batches:
            offsets = json.dumps({"t": {"0": batch * 10, "3": 2}})
            (folder / name / str(batch)).write_text(f'v1\n{{"batchWatermarkMs":0}}\n{offsets}', encoding="utf-8")
            (folder / name / f".{batch}.crc").write_bytes(b"crc")
    assert read_checkpoint(settings, "bronze/t@2", "t") == {0: 90, 3: 2}


def test_what_is_lost_is_what_the_broker_no_longer_has_of_what_comes_next() -> None:
    offsets = {0: Offsets(5, 9, 9), 1: Offsets(5, 5, 5), 2: Offsets(3, 9, 9), 3: Offsets(2, 2, 2)}
    assert lost_ranges({0: 5, 1: 4, 2: 7}, offsets) == (Range(1, 4, 4), Range(3, 0, 1))
