"""A topic judged again: what an older contract accepted or refused is what today's makes of bronze."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from deltalake import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from data_lake import tables
from data_lake.delta_rs import open_table
from data_lake.delta_tables import ensure_table
from stream_processing.spark_streaming.silver.parse import parse
from stream_processing.spark_streaming.silver.rejudge import ChangedMeanwhileError, Rejudged, rejudge
from tests.integration.stream_processing.conftest import TOPIC, Rows, encode, transaction
from tidemill.config import Settings

Messages = Callable[..., DataFrame]
Write = Callable[[DataFrame, int], None]
SILVER, QUARANTINE, BRONZE = "silver/transactions", f"quarantine/{TOPIC}", f"bronze/{TOPIC}"

STATISTICS = "delta.dataSkippingStatsColumns"

MESSAGES = [
    encode(transaction("a")),
    encode(transaction("a")),
    encode(transaction("b", unit_price=-1)),
    encode(transaction("c", unit_price=1)),
    encode(transaction("c", unit_price=2)),
    encode(transaction("d", "2024-05-02T10:00:00Z", description="späte Tasse")),
    None,
]


@pytest.fixture
def landed(lake: Settings, messages: Messages, write: Write) -> DataFrame:
    """Bronze, silver and quarantine as the stream left them."""
    landed = messages(MESSAGES)
    landed.write.format("delta").mode("append").save(tables.bronze(TOPIC).path(lake))
    write(landed, 0)
    return landed


def version(lake: Settings, name: str) -> int:
    return int(open_table(tables.table(name), lake).version())


@pytest.mark.matrix
def test_under_the_same_contract_nothing_changes_but_the_version(
    spark: SparkSession, lake: Settings, landed: DataFrame, rows: Rows
) -> None:
    before = [rows(SILVER), rows(QUARANTINE)]
    assert [len(part) for part in before] == [3, 3]
    versions = [version(lake, name) for name in (SILVER, QUARANTINE)]
    assert rejudge(spark, lake, TOPIC) == Rejudged(TOPIC, version(lake, BRONZE), 3, 3, 3, 3, 0)
    assert [rows(SILVER), rows(QUARANTINE)] == before
    assert all(version(lake, name) > before for name, before in zip((SILVER, QUARANTINE), versions, strict=True))


def test_values_that_silver_lacks_come_back_from_bronze(
    spark: SparkSession, lake: Settings, landed: DataFrame, rows: Rows
) -> None:
    """As after a contract was widened by an optional field: rows accepted before have null, bronze has the value."""
    before = [rows(SILVER), rows(QUARANTINE)]
    spark.sql(f"UPDATE delta.`{tables.silver(TOPIC).path(lake)}` SET description = NULL, unit_price = 9")  # noqa: S608
    DeltaTable(tables.quarantine(TOPIC).path(lake)).delete()
    rejudge(spark, lake, TOPIC)
    assert [rows(SILVER), rows(QUARANTINE)] == before


def test_what_was_refused_and_is_valid_now_is_in_silver(
    spark: SparkSession, lake: Settings, landed: DataFrame, rows: Rows
) -> None:
    """As after a contract was widened: the older one refused this event."""
    path = tables.silver(TOPIC).path(lake)
    refused = dict(rows(QUARANTINE)[0], offset=5, reason="schema", detail="/data/description: too long")
    frame = spark.createDataFrame([tuple(refused.values())], tables.quarantine(TOPIC).ddl)
    frame.write.format("delta").mode("append").save(tables.quarantine(TOPIC).path(lake))
    DeltaTable(path).delete("_offset = 5")
    rejudge(spark, lake, TOPIC)
    assert [row["_offset"] for row in rows(SILVER)] == [0, 3, 5]
    assert [(row["offset"], row["reason"]) for row in rows(QUARANTINE)] == [
        (2, "schema"),
        (4, "conflict"),
        (6, "not_json"),
    ]


@pytest.mark.matrix
def test_the_event_that_silver_holds_stays_though_an_earlier_one_has_its_identity(
    spark: SparkSession, lake: Settings, landed: DataFrame, rows: Rows
) -> None:
    spark.sql(f"UPDATE delta.`{tables.silver(TOPIC).path(lake)}` SET _offset = 1 WHERE _offset = 0")  # noqa: S608
    rejudge(spark, lake, TOPIC)
    assert [row["_offset"] for row in rows(SILVER)] == [1, 3, 5]


@pytest.mark.matrix
def test_rows_whose_messages_retention_removed_stay_as_they_are(
    spark: SparkSession, lake: Settings, landed: DataFrame, messages: Messages, rows: Rows
) -> None:
    before = [rows(SILVER), rows(QUARANTINE)]
    _forget(lake, "offset < 4")
    again = messages([encode(transaction("c", unit_price=1)), encode(transaction("c", unit_price=3))])
    again.write.format("delta").mode("append").save(tables.bronze(TOPIC).path(lake))
    assert rejudge(spark, lake, TOPIC).kept == 3
    assert rows(SILVER) == before[0]
    conflicts = [(row["offset"], row["reason"]) for row in rows(QUARANTINE)]
    assert conflicts == [*((row["offset"], row["reason"]) for row in before[1]), (8, "conflict")]


def test_of_kept_rows_with_one_identity_one_stays_and_what_another_said_is_in_quarantine(
    spark: SparkSession, lake: Settings, landed: DataFrame, rows: Rows
) -> None:
    """Of a lake that knew an event by its id and date; nobody has the messages any more."""
    silver = tables.silver(TOPIC).path(lake)
    kept = spark.read.format("delta").load(silver).where("_offset = 0").localCheckpoint()
    changes: dict[int, dict[str, str]] = {
        10: {},
        11: {"unit_price": "3.5"},
        12: {"event_time": "event_time + interval 1 day"},
    }
    for offset, changed in changes.items():
        columns = {"_offset": f"{offset}", "_digest": "0", **changed}
        again = kept.withColumns(
            {name: F.expr(text).cast(kept.schema[name].dataType) for name, text in columns.items()}
        )
        again.write.format("delta").mode("append").save(silver)
    spark.sql(f"UPDATE delta.`{silver}` SET _digest = 0 WHERE _offset = 0")  # noqa: S608
    before = rows(SILVER)
    _forget(lake, "offset = 0 or offset = 1")
    for _ in range(2):  # the second time there is nothing more to do
        rejudge(spark, lake, TOPIC)
        assert rows(SILVER) == [row for row in before if row["_offset"] not in (10, 11, 12)]
        displaced = [row for row in rows(QUARANTINE) if row["offset"] > 6]
        told = [(row["offset"], row["reason"], json.loads(row["value"])["data"]["unit_price"]) for row in displaced]
        assert told == [(11, "conflict", 3.5), (12, "conflict", 2.55)]
        assert [json.loads(row["value"])["time"] for row in displaced] == [
            "2024-05-01T09:30:00.000000Z",
            "2024-05-02T09:30:00.000000Z",
        ]
        assert all("bronze no longer has the message" in row["detail"] for row in displaced)


@pytest.mark.parametrize("name", [SILVER, pytest.param(QUARANTINE, marks=pytest.mark.matrix)])
def test_a_write_that_comes_in_between_stops_it_and_nothing_is_overwritten(
    lake: Settings, landed: DataFrame, rows: Rows, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    column = "_offset" if name == SILVER else "offset"

    def parse_meanwhile(*arguments: Any) -> DataFrame:
        DeltaTable(tables.table(name).path(lake)).delete(f"{column} = 4 or {column} = 5")
        return parse(*arguments)

    monkeypatch.setattr("stream_processing.spark_streaming.silver.rejudge.parse", parse_meanwhile)
    before = {other: rows(other) for other in (SILVER, QUARANTINE)}
    with pytest.raises(ChangedMeanwhileError, match=f"{name} was written while it was judged again"):
        rejudge(landed.sparkSession, lake, TOPIC)
    left = {other: rows(other) for other in (SILVER, QUARANTINE)}
    assert left == {**before, name: [row for row in before[name] if row[column] not in (4, 5)]}
    assert len(left[name]) < len(before[name])


@pytest.mark.matrix
def test_ended_between_the_two_tables_it_is_completed_by_running_it_again(
    spark: SparkSession, lake: Settings, landed: DataFrame, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = [rows(SILVER), rows(QUARANTINE)]
    DeltaTable(tables.silver(TOPIC).path(lake)).delete("_offset = 3")
    DeltaTable(tables.quarantine(TOPIC).path(lake)).delete("offset = 4")
    silver = version(lake, SILVER)
    rejudge(spark, lake, TOPIC)
    DeltaTable(tables.silver(TOPIC).path(lake)).restore(silver)
    rejudge(spark, lake, TOPIC)
    assert [rows(SILVER), rows(QUARANTINE)] == before


@pytest.mark.matrix
def test_a_lake_of_before_gets_the_columns_it_lacks(
    spark: SparkSession, lake: Settings, landed: DataFrame, rows: Rows
) -> None:
    before = [rows(SILVER), rows(QUARANTINE)]
    for table, lacking in (
        (tables.silver(TOPIC), ("_generation", "_digest")),
        (tables.quarantine(TOPIC), ("generation",)),
    ):
        known = ",".join(name for name in table.properties[STATISTICS].split(",") if name not in lacking)
        DeltaTable(table.path(lake)).alter.set_table_properties({STATISTICS: known})
        older = spark.read.format("delta").load(table.path(lake)).drop(*lacking).localCheckpoint()
        writer = older.write.format("delta").mode("overwrite").option("overwriteSchema", "true")
        writer.partitionBy(*table.partition_by).save(table.path(lake))
    rejudge(spark, lake, TOPIC)
    for table in (tables.silver(TOPIC), tables.quarantine(TOPIC)):
        ensure_table(spark, table, lake)
    assert [rows(SILVER), rows(QUARANTINE)] == before


def _forget(lake: Settings, condition: str) -> None:
    path = tables.bronze(TOPIC).path(lake)
    delta = DeltaTable(path)
    delta.alter.set_table_properties({"delta.appendOnly": "false"})
    delta.delete(condition)


@pytest.mark.matrix
def test_prices_are_the_very_values(spark: SparkSession, lake: Settings, landed: DataFrame, rows: Rows) -> None:
    rejudge(spark, lake, TOPIC)
    prices: list[Any] = [row["unit_price"] for row in rows(SILVER)]
    assert prices == [Decimal("2.5500"), Decimal("1.0000"), Decimal("2.5500")]
