"""Tables made from declarations, as Spark and the disk see them."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql.types import StructType

from data_lake.delta_rs import open_table
from data_lake.delta_tables import TableMismatchError, ensure_table
from data_lake.schema import schema_json
from data_lake.table import CHANGE_FEED, Table
from data_lake.tables import tables
from tidemill.config import Settings
from tidemill.contracts.columns import Column

DECLARED = Table(
    name="silver/things",
    description="things",
    columns=(
        Column("id", "STRING", False),
        Column("price", "DECIMAL(18,4)", True),
        Column("tags", "ARRAY<STRING>", True),
        Column("month", "STRING", False),
    ),
    keys=("id",),
    partition_by=("month",),
    properties=CHANGE_FEED,
)


@pytest.fixture
def lake(settings: Settings, tmp_path: Path) -> Settings:
    return settings.model_copy(update={"lake": settings.lake.model_copy(update={"root": str(tmp_path)})})


def insert(spark: SparkSession, lake: Settings, values: str) -> None:
    spark.sql(f"INSERT INTO delta.`{DECLARED.path(lake)}` VALUES ({values})")  # noqa: S608


def changed(name: str, sql_type: str, nullable: bool) -> tuple[Column, ...]:
    return tuple(Column(name, sql_type, nullable) if c.name == name else c for c in DECLARED.columns)


def test_a_table_is_what_its_declaration_says(spark: SparkSession, lake: Settings) -> None:
    ensure_table(spark, DECLARED, lake)
    path = DECLARED.path(lake)
    frame = spark.read.format("delta").load(path)
    assert [(f.name, f.dataType.simpleString(), f.nullable) for f in frame.schema] == [
        ("id", "string", False),
        ("price", "decimal(18,4)", True),
        ("tags", "array<string>", True),
        ("month", "string", False),
    ]
    detail = spark.sql(f"DESCRIBE DETAIL delta.`{path}`").collect()[0]
    assert detail["partitionColumns"] == ["month"]
    assert detail["properties"]["delta.enableChangeDataFeed"] == "true"
    assert detail["description"] == "things"


def test_every_declaration_is_written_as_spark_understands_it(spark: SparkSession) -> None:
    for table in tables().values():
        assert schema_json(table.columns) == json.loads(StructType.fromDDL(table.ddl).json()), table.name


def test_to_ensure_it_again_writes_nothing(spark: SparkSession, lake: Settings) -> None:
    ensure_table(spark, DECLARED, lake)
    insert(spark, lake, "'a', 1.5, array('x'), '2024-05'")
    before = open_table(DECLARED, lake).version()
    ensure_table(spark, DECLARED, lake)
    assert open_table(DECLARED, lake).version() == before
    assert spark.read.format("delta").load(DECLARED.path(lake)).count() == 1


def test_a_new_optional_column_is_added_and_old_rows_have_none(spark: SparkSession, lake: Settings) -> None:
    ensure_table(spark, DECLARED, lake)
    insert(spark, lake, "'a', 1.5, null, '2024-05'")
    ensure_table(spark, replace(DECLARED, columns=(*DECLARED.columns, Column("coupon", "STRING", True))), lake)
    (row,) = spark.read.format("delta").load(DECLARED.path(lake)).collect()
    assert (row["id"], row["coupon"]) == ("a", None)


def test_a_column_that_may_now_be_null_is_made_so(spark: SparkSession, lake: Settings) -> None:
    ensure_table(spark, DECLARED, lake)
    insert(spark, lake, "'a', 1.5, null, '2024-05'")
    optional = replace(DECLARED, columns=changed("id", "STRING", True), keys=("month",))
    ensure_table(spark, optional, lake)
    insert(spark, lake, "null, 2.5, null, '2024-05'")
    rows = spark.read.format("delta").load(DECLARED.path(lake)).collect()
    assert {row["id"] for row in rows} == {"a", None}
    version = open_table(DECLARED, lake).version()
    ensure_table(spark, optional, lake)
    assert open_table(DECLARED, lake).version() == version


def test_a_column_that_others_added_is_left_alone(spark: SparkSession, lake: Settings) -> None:
    ensure_table(spark, DECLARED, lake)
    path = DECLARED.path(lake)
    spark.sql(f"ALTER TABLE delta.`{path}` ADD COLUMNS (note STRING)")
    before = open_table(DECLARED, lake).version()
    ensure_table(spark, DECLARED, lake)
    assert open_table(DECLARED, lake).version() == before
    assert "note" in spark.read.format("delta").load(path).columns


def test_what_the_sentence_says_mends_a_column_of_others_that_must_have_a_value(
    spark: SparkSession, lake: Settings
) -> None:
    ensure_table(spark, DECLARED, lake)
    without_id = replace(DECLARED, columns=DECLARED.columns[1:], keys=("price",))
    with pytest.raises(TableMismatchError) as raised:
        ensure_table(spark, without_id, lake)
    spark.sql(str(raised.value).split("Spark SQL: ")[1])
    ensure_table(spark, without_id, lake)


def test_two_that_create_a_table_at_once_both_have_it(spark: SparkSession, lake: Settings) -> None:
    with ThreadPoolExecutor(8) as pool:
        creations = [pool.submit(ensure_table, spark, DECLARED, lake) for _ in range(8)]
    assert [creation.result() for creation in creations] == [None] * 8
    assert open_table(DECLARED, lake).version() == 0


def test_a_changed_property_is_set(spark: SparkSession, lake: Settings) -> None:
    ensure_table(spark, DECLARED, lake)
    properties = {**CHANGE_FEED, "delta.logRetentionDuration": "interval 7 days"}
    ensure_table(spark, replace(DECLARED, properties=properties), lake)
    assert open_table(DECLARED, lake).metadata().configuration["delta.logRetentionDuration"] == "interval 7 days"


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        (replace(DECLARED, columns=changed("price", "DOUBLE", True)), "column price is decimal(18,4), declared double"),
        (replace(DECLARED, columns=changed("price", "DECIMAL(18,4)", False)), "column price may be null, declared is"),
        (
            replace(DECLARED, columns=DECLARED.columns[1:], keys=("price",)),
            "column id is not declared, so new rows have none, and in the table it must have a value: run in Spark SQL",
        ),
        (
            replace(
                DECLARED, columns=(*DECLARED.columns[:2], Column("TAGS", "ARRAY<STRING>", True), DECLARED.columns[3])
            ),
            "column tags is declared as TAGS: declare it as it is",
        ),
        (
            replace(DECLARED, columns=(*DECLARED.columns, Column("vat", "DOUBLE", False))),
            "column vat is declared as always present but the table lacks it",
        ),
        (replace(DECLARED, partition_by=()), r"partitioned by \['month'\], declared \[\]"),
    ],
    ids=[
        "type",
        "now required",
        "not null of others",
        "another case",
        "new and required",
        "partitioning",
    ],
)
def test_a_table_that_differs_is_refused_and_the_column_named(
    spark: SparkSession, lake: Settings, declared: Table, words: str
) -> None:
    ensure_table(spark, DECLARED, lake)
    words = words if words.startswith("partitioned") else words.replace("(", r"\(").replace(")", r"\)")
    with pytest.raises(TableMismatchError, match=f"silver/things at .* differs from its declaration: {words}"):
        ensure_table(spark, declared, lake)
