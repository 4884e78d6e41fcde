"""Little news is appended by delta-rs: the tables are those that Spark's MERGE makes of the same messages."""

import itertools
import random
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from pyspark.sql import DataFrame, SparkSession

from data_lake import tables
from data_lake.delta_tables import ensure_table
from data_lake.table import Table
from stream_processing.spark_streaming.silver.batch import write_messages
from stream_processing.spark_streaming.silver.conflicts import SilverIdentities
from stream_processing.spark_streaming.silver.identity_filter import HASH, hashes_of, identity_hash
from stream_processing.spark_streaming.silver.judging import FileJudge, judge_files
from stream_processing.spark_streaming.silver.parse import Parser, TimeRule
from stream_processing.spark_streaming.silver.small import NeedsSparkError, SmallWrites
from tests.integration.stream_processing.conftest import TOPIC, encode, transaction
from tidemill.config import Settings
from tidemill.contracts import contract

SILVER, QUARANTINE = tables.silver(TOPIC), tables.quarantine(TOPIC)
Messages = Callable[..., DataFrame]


def another(settings: Settings, spark: SparkSession, name: str) -> Settings:
    """The same with an empty lake beside the first."""
    lake = settings.lake.model_copy(update={"root": f"{settings.lake_root}-{name}"})
    other = settings.model_copy(update={"lake": lake})
    for table in (tables.bronze(TOPIC), SILVER, QUARANTINE):
        ensure_table(spark, table, other)
    return other


def land(settings: Settings, messages: DataFrame) -> list[str]:
    """Append to bronze; the new files."""
    delta = DeltaTable(tables.bronze(TOPIC).path(settings))
    before = set(paths(delta))
    messages.write.format("delta").mode("append").save(tables.bronze(TOPIC).path(settings))
    delta.update_incremental()
    return sorted(set(paths(delta)) - before)


def paths(delta: DeltaTable) -> list[str]:
    return list(pa.table(delta.get_add_actions())["path"].to_pylist())


def parsed(spark: SparkSession, settings: Settings, files: list[str]) -> pa.Table:
    parser = Parser(contract(TOPIC), TimeRule.of(settings))
    judge = FileJudge({TOPIC: parser}, {TOPIC: tables.bronze(TOPIC).path(settings)}, {})
    return judge_files(spark, judge, {TOPIC: files})[TOPIC]


def rows(settings: Settings, table: Table) -> list[dict[str, Any]]:
    found = DeltaTable(table.path(settings)).to_pyarrow_table().to_pylist()
    return sorted(found, key=lambda row: (row.get("_offset", row.get("offset")),))


def batches(seed: int) -> Iterator[list[bytes | None]]:
    """Batches with events that come again as they were, with another time or other data, and what is none."""
    rng, numbers = random.Random(seed), itertools.count()
    sent: list[dict[str, Any]] = []
    for _ in range(5):
        batch: list[bytes | None] = []
        for _ in range(rng.randrange(1, 12)):
            kind = rng.choice(["new"] * 6 + ["again"] * 3 + ["bad", "late", "none"] + ["changed"] * (seed % 2))
            if kind in {"again", "changed"} and sent:
                event = rng.choice(sent)
                changed = {**event, "data": {**event["data"], "quantity": 77}}
                batch.append(encode(event if kind == "again" else changed))
            elif kind in {"new", "again", "changed"}:
                day = rng.randrange(1, 29)
                sent.append(transaction(f"{seed} {next(numbers)}", f"2024-{rng.choice((3, 4)):02}-{day:02}T10:00:00Z"))
                batch.append(encode(sent[-1]))
            else:
                late = encode(transaction(f"late {next(numbers)}", "1999-01-01T00:00:00Z"))
                batch.append({"bad": b"no JSON", "late": late, "none": None}[kind])
        yield batch


@pytest.mark.matrix
@pytest.mark.parametrize("seed", range(6))
def test_small_appends_and_merges_make_the_same_tables(
    spark: SparkSession, lake: Settings, messages: Messages, seed: int
) -> None:
    merged = another(lake, spark, "merged")
    known, other = SilverIdentities(TOPIC, lake), SilverIdentities(TOPIC, merged)
    small, appended = SmallWrites(known), 0
    for values in batches(seed):
        batch = messages(values)
        files = land(lake, batch)
        try:
            small.write(spark, parsed(spark, lake, files))
            appended += 1
        except NeedsSparkError:
            write_messages(batch, known)
        write_messages(batch, other)
    assert appended
    schemas = [DeltaTable(SILVER.path(settings)).schema() for settings in (lake, merged)]
    assert schemas[0] == schemas[1]
    for table in (SILVER, QUARANTINE):
        found = rows(lake, table)
        assert found == rows(merged, table)
        assert found


def test_another_writer_of_quarantine_is_noticed_and_the_merge_ends_what_was_begun(
    spark: SparkSession, lake: Settings, messages: Messages
) -> None:
    batch = messages([encode(transaction("half")), b"bad"])
    table = parsed(spark, lake, land(lake, batch))
    known = SilverIdentities(TOPIC, lake)
    small, other = SmallWrites(known), SmallWrites(SilverIdentities(TOPIC, lake))
    other.write(spark, table)  # as an application that was thought dead
    with pytest.raises(NeedsSparkError, match="another has written quarantine/"):
        small.write(spark, table)
    write_messages(batch, known)
    assert [row["event_id"] for row in rows(lake, SILVER)] == [transaction("half")["id"]]
    assert [row["value"] for row in rows(lake, QUARANTINE)] == [b"bad"]


def test_another_writer_of_silver_is_noticed_in_the_very_commit(
    spark: SparkSession, lake: Settings, messages: Messages, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (messages([encode(transaction("twice"))]) for _ in range(2))
    one, two = (parsed(spark, lake, land(lake, batch)) for batch in (first, second))
    known, other = SilverIdentities(TOPIC, lake), SilverIdentities(TOPIC, lake)
    small, late = SmallWrites(known), SmallWrites(other)
    other.refreshed(spark)
    small.write(spark, one)
    with monkeypatch.context() as patched:  # as if the other's commit came between the look and the append
        patched.setattr(SilverIdentities, "refreshed", lambda self, _: self.filter)
        with pytest.raises(NeedsSparkError, match="silver/transactions"):
            late.write(spark, two)
    assert len(rows(lake, SILVER)) == 1


def test_a_duplicate_of_another_day_is_for_spark(spark: SparkSession, lake: Settings, messages: Messages) -> None:
    known = SilverIdentities(TOPIC, lake)
    small = SmallWrites(known)
    small.write(spark, parsed(spark, lake, land(lake, messages([encode(transaction("d"))]))))
    other_day = messages([encode(transaction("d", "2024-01-02T00:00:00Z"))])
    with pytest.raises(NeedsSparkError, match="from another day"):
        small.write(spark, parsed(spark, lake, land(lake, other_day)))


def test_the_hash_of_an_identity_is_the_same_in_arrow_and_in_spark(spark: SparkSession) -> None:
    odd = ["", "a", "urn:ä/ß", "\U0001f600" * 9, "x" * 100, "0" * 31, "1" * 32, "2" * 33]
    pairs = [{"source": source, "event_id": event_id} for source in odd for event_id in odd]
    hashed = spark.createDataFrame(pairs).withColumn(HASH, identity_hash()).toArrow()
    assert hashes_of(hashed).tolist() == hashed[HASH].to_pylist()


def test_small_files_are_merged_and_the_rows_are_the_same(
    spark: SparkSession, lake: Settings, messages: Messages
) -> None:
    known = SilverIdentities(TOPIC, lake)
    small = SmallWrites(known)
    table = parsed(spark, lake, land(lake, messages([encode(transaction(f"{n}")) for n in range(120)])))
    for number in range(120):
        small.write(spark, table.slice(number, 1))
    files = paths(DeltaTable(SILVER.path(lake)))
    assert len(files) < 60
    assert len(rows(lake, SILVER)) == 120
