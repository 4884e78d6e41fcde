"""A table with every type, changed by every writer that is here, read by everything that reads the lake."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from pyspark.sql import DataFrame, SparkSession

from data_lake import sql
from data_lake.arrow import UnreadableTableError, batches, source
from data_lake.delta_rs import open_table, statistics
from data_lake.delta_tables import ensure_table
from data_lake.maintenance import maintain
from tests.cases.every_type import ADDED, CONDITIONS, LEFT, MERGED, ROWS, TABLE, Row
from tidemill.config import Settings

pytestmark = pytest.mark.matrix
NAMES = [column.name for column in TABLE.columns]


@pytest.fixture
def lake(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A lake whose registry has only the table with every type."""
    monkeypatch.setattr(sql, "tables", lambda: {TABLE.name: TABLE})
    return settings.model_copy(update={"lake": settings.lake.model_copy(update={"root": str(tmp_path)})})


def frame(spark: SparkSession, *rows: Row) -> DataFrame:
    return spark.createDataFrame([tuple(row[name] for name in NAMES) for row in rows], TABLE.ddl)


def arrow(delta: DeltaTable, *rows: Row) -> pa.Table:
    schema = pa.schema(delta.schema().to_arrow())
    maps = [{**row, "prices": None if row["prices"] is None else list(row["prices"].items())} for row in rows]
    return pa.Table.from_pylist(maps, schema=schema)


def by_spark(spark: SparkSession, path: str, change: str) -> None:
    frame(spark, MERGED, ADDED).createOrReplaceTempView("changes")
    statements = {
        "append": f"INSERT INTO delta.`{path}` SELECT * FROM changes WHERE id = 6",  # noqa: S608
        "delete": f"DELETE FROM delta.`{path}` WHERE text = 'banana'",  # noqa: S608
        "update": f"UPDATE delta.`{path}` SET text = 'blueberry' WHERE id = 2",  # noqa: S608
        "merge": f"MERGE INTO delta.`{path}` t USING changes s ON t.id = s.id"
        " WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *",
        "optimize": f"OPTIMIZE delta.`{path}`",
    }
    spark.sql(statements[change])


def with_deletion_vectors(spark: SparkSession, path: str, change: str) -> None:
    spark.sql(f"ALTER TABLE delta.`{path}` SET TBLPROPERTIES ('delta.enableDeletionVectors' = 'true')")
    by_spark(spark, path, change)


def with_mapped_columns(spark: SparkSession, path: str, change: str) -> None:
    """Columns whose names in files written from now on are not those of the table."""
    spark.sql(f"ALTER TABLE delta.`{path}` SET TBLPROPERTIES ('delta.columnMapping.mode' = 'name')")
    spark.sql(f"ALTER TABLE delta.`{path}` DROP COLUMN text")
    spark.sql(f"ALTER TABLE delta.`{path}` ADD COLUMN text STRING AFTER id")
    frame(spark, *ROWS).createOrReplaceTempView("rows")
    spark.sql(f"INSERT OVERWRITE delta.`{path}` SELECT * FROM rows")  # noqa: S608
    by_spark(spark, path, change)


def by_delta_rs(spark: SparkSession, path: str, change: str) -> None:
    delta = DeltaTable(path)
    changes: dict[str, Callable[[], Any]] = {
        "append": lambda: write_deltalake(delta, arrow(delta, ADDED), mode="append"),
        "delete": lambda: delta.delete("text = 'banana'"),
        "update": lambda: delta.update(predicate="id = 2", new_values={"text": "blueberry"}),
        "merge": lambda: (
            delta.merge(arrow(delta, MERGED, ADDED), "t.id = s.id", source_alias="s", target_alias="t")
            .when_matched_update_all()
            .when_not_matched_insert_all()
            .execute()
        ),
        "optimize": delta.optimize.compact,
    }
    changes[change]()


def by_polars(spark: SparkSession, path: str, change: str) -> None:
    """Appends: it changes rows through delta-rs."""
    assert change == "append"
    pl.from_arrow(arrow(DeltaTable(path), ADDED)).write_delta(path, mode="append")


def by_duckdb(spark: SparkSession, path: str, change: str) -> None:
    """Appends: it changes no rows of a Delta table."""
    assert change == "append"
    connection = duckdb.connect()
    installed = connection.execute(
        "SELECT installed FROM duckdb_extensions() WHERE extension_name = 'delta'"
    ).fetchone()
    if installed != (True,):
        pytest.skip("DuckDB's delta extension is not installed: it comes from a server, not with the package")
    rows = arrow(DeltaTable(path), ADDED)
    connection.register("rows", rows)
    connection.execute(f"ATTACH '{path}' AS lake (TYPE delta); INSERT INTO lake SELECT * FROM rows")  # noqa: S608


WRITERS: Mapping[str, Callable[[SparkSession, str, str], None]] = {
    "Spark": by_spark,
    "Spark with deletion vectors": with_deletion_vectors,
    "Spark with mapped columns": with_mapped_columns,
    "delta-rs": by_delta_rs,
    "Polars": by_polars,
    "DuckDB": by_duckdb,
}
ONLY_APPENDING = ("Polars", "DuckDB")
CHANGES = [
    (writer, change) for writer in WRITERS for change in LEFT if writer not in ONLY_APPENDING or change == "append"
]


@pytest.fixture
def path(spark: SparkSession, lake: Settings) -> str:
    """The table, with rows that Spark and delta-rs wrote."""
    ensure_table(spark, TABLE, lake)
    path = TABLE.path(lake)
    frame(spark, *ROWS[:3]).coalesce(1).write.format("delta").mode("append").save(path)
    delta = DeltaTable(path)
    write_deltalake(delta, arrow(delta, *ROWS[3:]), mode="append")
    return path


@pytest.mark.parametrize(("writer", "change"), CHANGES)
def test_what_a_writer_wrote_is_what_every_reader_reads(
    spark: SparkSession, lake: Settings, path: str, writer: str, change: str
) -> None:
    WRITERS[writer](spark, path, change)
    expected = list(LEFT[change])
    assert read_by_spark(spark, path) == expected
    assert read_by_batches(lake) == expected
    assert statistics(TABLE, open_table(TABLE, lake), lake).rows == len(expected)
    assert read_by_sql(lake) == expected
    assert answers(lake) == {
        condition: [row["id"] for row in expected if holds(row)] for condition, holds in CONDITIONS.items()
    }


@pytest.mark.parametrize("writer", ["Spark", "Spark with deletion vectors", "Spark with mapped columns", "delta-rs"])
def test_maintenance_leaves_every_row_of_any_writer(
    spark: SparkSession, lake: Settings, path: str, writer: str
) -> None:
    WRITERS[writer](spark, path, "delete")
    _make_old(Path(path))
    maintain(TABLE, open_table(TABLE, lake), vacuum_hours=168)
    assert read_by_sql(lake) == read_by_spark(spark, path) == list(LEFT["delete"])


def test_a_filter_on_a_text_is_still_pushed_into_the_files_of_delta_rs(
    spark: SparkSession, lake: Settings, path: str
) -> None:
    by_delta_rs(spark, path, "delete")
    connection = duckdb.connect()
    connection.register("rows", source(open_table(TABLE, lake)))
    plan = connection.execute("EXPLAIN SELECT id FROM rows WHERE text = 'apple'").fetchall()[0][1]
    assert "Filters: \"text\" = 'apple'" in plan


def test_a_table_that_delta_rs_cannot_read_is_refused_with_the_way_out(
    spark: SparkSession, lake: Settings, path: str
) -> None:
    spark.sql(f"ALTER TABLE delta.`{path}` SET TBLPROPERTIES ('delta.enableTypeWidening' = 'true')")
    with pytest.raises(UnreadableTableError, match=r"every_type.*typeWidening.*DROP FEATURE typeWidening"):
        read_by_sql(lake)
    spark.sql(f"ALTER TABLE delta.`{path}` UNSET TBLPROPERTIES ('delta.enableTypeWidening')")
    spark.sql(f"ALTER TABLE delta.`{path}` DROP FEATURE typeWidening")
    assert read_by_sql(lake) == list(ROWS)


def _make_old(folder: Path) -> None:
    """Every data file is as old as if written in 2020: what no version names will be removed."""
    for file in folder.rglob("*"):
        if file.is_file() and "_delta_log" not in file.parts:
            os.utime(file, (1_577_836_800, 1_577_836_800))


def answers(lake: Settings) -> dict[str, list[int]]:
    """The ids for which each condition holds, as `lake sql` says."""
    with sql.connect(lake, "silver.every_type") as connection:
        return {condition: _ids(connection, condition) for condition in CONDITIONS}


def _ids(connection: duckdb.DuckDBPyConnection, condition: str) -> list[int]:
    rows = connection.execute(f"SELECT id FROM silver.every_type WHERE {condition} ORDER BY id").fetchall()  # noqa: S608
    return [number for (number,) in rows]


def read_by_sql(lake: Settings) -> list[Row]:
    with sql.connect(lake, "silver.every_type") as connection:
        rows = connection.execute("SELECT * FROM silver.every_type ORDER BY id").fetchall()
        return [dict(zip(NAMES, row, strict=True)) for row in rows]


def read_by_batches(lake: Settings) -> list[Row]:
    table = pa.Table.from_batches(batches(open_table(TABLE, lake), NAMES, 2)).sort_by("id")
    return table.to_pylist(maps_as_pydicts="strict")


def read_by_spark(spark: SparkSession, path: str) -> list[Row]:
    rows = spark.read.format("delta").load(path).orderBy("id").toArrow()
    return rows.to_pylist(maps_as_pydicts="strict")
