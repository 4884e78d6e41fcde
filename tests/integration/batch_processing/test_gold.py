"""The shop's gold tables against plain Python, before and after late events."""

import random
import threading
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from delta.tables import DeltaTable
from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812

from batch_processing import daily
from batch_processing.gold_table import ConcurrentRunError
from batch_processing.incremental import SourceMissingError
from batch_processing.outcome import Outcome
from data_lake import commits
from data_lake.gold import gold_table
from data_lake.tables import silver, table
from tests.cases.lake import forget_commits
from tests.cases.transactions import Line, random_lines
from tests.integration.batch_processing.conftest import AppendLines
from tidemill.config import Settings

FIRST = date(2010, 12, 1)


def run_all(spark: SparkSession, lake: Settings, full: bool = False) -> list[Outcome]:
    return [
        daily.refresh(spark, lake, gold_table("daily_product_sales"), full),
        daily.refresh(spark, lake, gold_table("customer_daily"), full),
    ]


def refresh(spark: SparkSession, lake: Settings) -> Outcome:
    """One table is enough where it is about when and what to recompute: both share that."""
    return daily.refresh(spark, lake, gold_table("customer_daily"), full=False)


def versions(lake: Settings) -> list[int]:
    names = ("gold/daily_product_sales", "gold/customer_daily")
    return [commits.current_version(table(name), lake) for name in names]


def rows(spark: SparkSession, lake: Settings, name: str) -> list[dict[str, object]]:
    frame = spark.read.format("delta").load(table(name).path(lake)).orderBy(*table(name).keys)
    return [row.asDict() for row in frame.collect()]


def naive_customer_days(lines: Sequence[Line]) -> dict[tuple[date, str, str], tuple[object, ...]]:
    groups = defaultdict(list)
    for line in lines:
        if line.customer_id:
            groups[line.day, line.customer_id, line.currency].append(line)
    return {key: _customer_day(group) for key, group in groups.items()}


def _customer_day(lines: Sequence[Line]) -> tuple[object, ...]:
    bought = [line for line in lines if line.kind == "purchase"]
    returned = [line for line in lines if line.kind == "return"]
    gross, back = (sum((line.value for line in side), Decimal()) for side in (bought, returned))
    return (
        sorted({line.order_id for line in bought}),
        sorted({line.product_id for line in bought}),
        sum(line.quantity for line in bought),
        sum(line.quantity for line in returned),
        gross,
        back,
        gross - back,
    )


def assert_customer_days_equal_the_naive_ones(spark: SparkSession, lake: Settings, lines: Sequence[Line]) -> None:
    measures = [c.name for c in table("gold/customer_daily").columns[3:-1]]
    found = {
        (row["event_date"], row["customer_id"], row["currency"]): tuple(
            sorted(row[name]) if isinstance(row[name], list) else row[name] for name in measures
        )
        for row in rows(spark, lake, "gold/customer_daily")
    }
    assert found == naive_customer_days(lines)


def naive_product_sales(lines: Sequence[Line]) -> dict[tuple[date, str, str], tuple[object, ...]]:
    groups = defaultdict(list)
    for line in lines:
        groups[line.day, line.product_id, line.currency].append(line)
    return {key: _product_day(group) for key, group in groups.items()}


def _product_day(lines: Sequence[Line]) -> tuple[object, ...]:
    bought = [line for line in lines if line.kind == "purchase"]
    returned = [line for line in lines if line.kind == "return"]
    gross, back = (sum((line.value for line in side), Decimal()) for side in (bought, returned))
    return (
        len({line.order_id for line in bought}),
        len({line.customer_id for line in bought if line.customer_id}),
        sum(line.quantity for line in bought),
        sum(line.quantity for line in returned),
        gross,
        back,
        gross - back,
    )


def assert_product_sales_equal_the_naive_ones(spark: SparkSession, lake: Settings, lines: Sequence[Line]) -> None:
    measures = [c.name for c in table("gold/daily_product_sales").columns[3:-1]]
    found = {
        (row["event_date"], row["product_id"], row["currency"]): tuple(row[name] for name in measures)
        for row in rows(spark, lake, "gold/daily_product_sales")
    }
    assert found == naive_product_sales(lines)


def test_columns_that_others_add_to_silver_and_gold_change_nothing(
    spark: SparkSession, lake: Settings, append: AppendLines
) -> None:
    lines = random_lines(random.Random(5), 60, FIRST, 4)
    append(lines[:40])
    run_all(spark, lake)
    for changed in (silver("shop.transaction.v1"), table("gold/customer_daily"), table("gold/daily_product_sales")):
        spark.sql(f"ALTER TABLE delta.`{changed.path(lake)}` ADD COLUMNS (note STRING)")
    append(lines[40:])
    run_all(spark, lake)
    assert_customer_days_equal_the_naive_ones(spark, lake, lines)
    assert {row["note"] for row in rows(spark, lake, "gold/customer_daily")} == {None}


def test_gold_equals_plain_python_before_and_after_late_events(
    spark: SparkSession, lake: Settings, append: AppendLines
) -> None:
    rng = random.Random(20101201)
    lines = random_lines(rng, 400, FIRST, 120)
    append(lines)
    assert [done.dates for done in run_all(spark, lake)] == [None, None]
    assert_product_sales_equal_the_naive_ones(spark, lake, lines)
    assert_customer_days_equal_the_naive_ones(spark, lake, lines)

    late = random_lines(rng, 10, FIRST + timedelta(days=50), 30)
    newer = random_lines(rng, 25, FIRST + timedelta(days=120), 20)
    for batch in (late, newer):
        append(batch)
        lines += batch
        sales, days = run_all(spark, lake)
        assert sales.dates == days.dates == len({line.day for line in batch})
        assert_product_sales_equal_the_naive_ones(spark, lake, lines)
        assert_customer_days_equal_the_naive_ones(spark, lake, lines)

    incremental = rows(spark, lake, "gold/customer_daily")
    run_all(spark, lake, full=True)
    assert rows(spark, lake, "gold/customer_daily") == incremental


def test_a_second_run_makes_no_commit(spark: SparkSession, lake: Settings, append: AppendLines) -> None:
    append([line("2011-01-03", "a"), line("2011-02-01", None)])
    run_all(spark, lake)
    before = versions(lake)
    assert [done.rows for done in run_all(spark, lake)] == [0, 0]
    assert versions(lake) == before


def test_maintenance_of_silver_and_gold_changes_nothing(
    spark: SparkSession, lake: Settings, append: AppendLines
) -> None:
    append([line("2011-01-03", "a")])
    append([line("2011-01-04", "b")])
    refresh(spark, lake)
    for name in (silver("shop.transaction.v1").name, "gold/customer_daily"):
        spark.sql(f"OPTIMIZE delta.`{table(name).path(lake)}`")
        spark.sql(f"VACUUM delta.`{table(name).path(lake)}`")
    before = commits.current_version(table("gold/customer_daily"), lake)
    done = refresh(spark, lake)
    assert (done.rows, done.dates) == (0, 0)
    assert commits.current_version(table("gold/customer_daily"), lake) == before


def test_a_vacuumed_change_feed_makes_the_run_full(spark: SparkSession, lake: Settings, append: AppendLines) -> None:
    append([line("2011-01-03", "a")])
    refresh(spark, lake)
    append([line("2011-01-04", "b")])
    path = silver("shop.transaction.v1").path(lake)
    spark.sql(f"OPTIMIZE delta.`{path}`")
    spark.conf.set("spark.databricks.delta.retentionDurationCheck.enabled", "false")
    try:
        spark.sql(f"VACUUM delta.`{path}` RETAIN 0 HOURS")
    finally:
        spark.conf.unset("spark.databricks.delta.retentionDurationCheck.enabled")
    done = refresh(spark, lake)
    assert done.dates is None
    assert "is gone (FAILED_READ_FILE.FILE_NOT_EXIST)" in done.reason
    assert [row["customer_id"] for row in rows(spark, lake, "gold/customer_daily")] == ["a", "b"]


@pytest.mark.matrix
def test_a_cleaned_log_makes_the_run_full(spark: SparkSession, lake: Settings, append: AppendLines) -> None:
    append([line("2011-01-03", "a")])
    refresh(spark, lake)
    for number in range(12):
        append([line(f"2011-01-{4 + number:02}", "b")])
    forget_commits(lake, silver("shop.transaction.v1"), 8)
    spark._jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()  # type: ignore[union-attr]
    done = refresh(spark, lake)
    assert (done.rows, done.dates) == (13, None)
    assert "is gone" in done.reason


def test_a_silver_made_anew_makes_the_run_full(spark: SparkSession, lake: Settings, append: AppendLines) -> None:
    append([line("2011-01-03", "a")])
    refresh(spark, lake)
    path = Path(silver("shop.transaction.v1").path(lake))
    path.rename(path.with_name("old"))
    spark._jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()  # type: ignore[union-attr]
    append([line("2011-05-05", "z")])
    done = refresh(spark, lake)
    assert done.reason == "silver/transactions is another table than before"
    assert [row["customer_id"] for row in rows(spark, lake, "gold/customer_daily")] == ["z"]


def test_a_commit_of_someone_else_makes_the_run_full(spark: SparkSession, lake: Settings, append: AppendLines) -> None:
    append([line("2011-01-03", "a")])
    refresh(spark, lake)
    DeltaTable.forPath(spark, table("gold/customer_daily").path(lake)).delete()
    done = refresh(spark, lake)
    assert (done.rows, done.dates) == (1, None)


def test_a_run_that_fails_halfway_leaves_rows_and_note_as_they_were(
    spark: SparkSession, lake: Settings, append: AppendLines
) -> None:
    append([line("2011-01-03", "a")])
    refresh(spark, lake)
    append([line("2011-01-04", "b"), line("2011-01-05", "broken")])

    declared = gold_table("customer_daily")
    broken = "if(customer_id = 'broken', raise_error('no such customer'), currency) AS currency"
    breaks_halfway = f"SELECT * EXCEPT (currency), {broken} FROM ({declared.query})"  # noqa: S608

    before = rows(spark, lake, "gold/customer_daily")
    with pytest.raises(Exception, match="no such customer"):
        daily.refresh(spark, lake, replace(declared, query=breaks_halfway), full=False)
    assert rows(spark, lake, "gold/customer_daily") == before
    assert refresh(spark, lake).dates == 2
    assert [row["customer_id"] for row in rows(spark, lake, "gold/customer_daily")] == ["a", "b", "broken"]


def test_runs_at_the_same_time_leave_the_right_rows(spark: SparkSession, lake: Settings, append: AppendLines) -> None:
    append([line("2011-01-03", "a")])
    refresh(spark, lake)
    append([line("2011-01-04", "b")])
    failures: list[BaseException] = []

    def run() -> None:
        try:
            refresh(spark, lake)
        except Exception as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(failures) < len(threads)
    assert [error for error in failures if not isinstance(error, ConcurrentRunError)] == []
    assert [row["customer_id"] for row in rows(spark, lake, "gold/customer_daily")] == ["a", "b"]


def test_another_revision_recomputes_every_day(spark: SparkSession, lake: Settings, append: AppendLines) -> None:
    append([line("2011-01-03", "a"), line("2011-01-20", "a")])
    refresh(spark, lake)
    revised = replace(gold_table("customer_daily"), revision=2)
    done = daily.refresh(spark, lake, revised, full=False)
    assert (done.rows, done.dates) == (2, None)
    assert "parameters changed" in done.reason


def test_an_empty_silver_gives_empty_tables(spark: SparkSession, lake: Settings, append: AppendLines) -> None:
    append([])
    assert [done.rows for done in run_all(spark, lake)] == [0, 0]


def test_a_missing_silver_is_said_and_may_be_tried_again(spark: SparkSession, lake: Settings) -> None:
    with pytest.raises(SourceMissingError, match=r"silver/transactions does not exist at \S+: start what writes it"):
        refresh(spark, lake)


def line(day: str, customer: str | None) -> Line:
    at = datetime.fromisoformat(f"{day}T12:00:00+00:00")
    return Line(at, customer, f"{customer}-{day}", "p", 2, Decimal("1.2500"))


@pytest.mark.matrix
def test_a_source_that_was_overwritten_is_what_gold_is_made_of(
    spark: SparkSession, lake: Settings, append: AppendLines
) -> None:
    """As `tidemill lake rejudge` does: the same table, every row of it written anew, some with other values."""
    lines = random_lines(random.Random(7), 40, FIRST, 3)
    append(lines)
    run_all(spark, lake)
    path = silver("shop.transaction.v1").path(lake)
    changed = spark.read.format("delta").load(path).withColumn("quantity", F.col("quantity") + 1)
    changed.localCheckpoint().write.format("delta").mode("overwrite").save(path)
    assert all(run.dates == len({line.day for line in lines}) for run in run_all(spark, lake))
    now = [replace(line, quantity=line.quantity + 1) for line in lines]
    assert_customer_days_equal_the_naive_ones(spark, lake, now)
    assert_product_sales_equal_the_naive_ones(spark, lake, now)
