"""Faults planted in silver, and the expectation that sees each: on real Spark, by the shop's own suite."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from delta.tables import DeltaTable
from pyspark.sql import SparkSession

from batch_processing.quality.check import Checked, check
from batch_processing.quality.gate import NotAsExpectedError, critical_failures
from batch_processing.quality.results import results_table
from batch_processing.quality.run import judge_tables
from batch_processing.quality.unchanged import judged_already
from data_lake import commits
from data_lake.delta_tables import ensure_table
from data_lake.expectations import suites_of
from data_lake.tables import silver, table
from tests.cases.lake import append_rows
from tests.cases.order_days import FAULTS, PRODUCTS, quiet_day
from tests.cases.silver_rows import row
from tests.integration.batch_processing.conftest import AppendLines
from tidemill.config import Settings

TRANSACTIONS = "silver/transactions"
FIRST = date(2026, 3, 2)
WEEKS_OF_QUIET = 5
LAST = FIRST + timedelta(days=7 * WEEKS_OF_QUIET)
NOW = datetime(LAST.year, LAST.month, LAST.day, 6, tzinfo=UTC) + timedelta(days=1)

Check = Callable[..., Checked]
Outcomes = Mapping[tuple[str, date], tuple[str, float | None]]


@pytest.fixture
def quiet(spark: SparkSession, lake: Settings, append: AppendLines) -> Settings:
    """A lake of five weeks without a fault, and the products that were looked at."""
    append([line for day in range(7 * WEEKS_OF_QUIET) for line in quiet_day(FIRST + timedelta(days=day))])
    ensure_table(spark, silver("shop.click.v1"), lake)
    look_at(lake, PRODUCTS)
    return lake


def look_at(lake: Settings, products: Iterable[str]) -> None:
    """A click on each."""
    at = datetime(2026, 3, 1, tzinfo=UTC)
    clicks = (
        row(f"k{product}", at, session_id="s", kind="view", page="/", device="mobile", product_id=product)
        for product in products
    )
    append_rows(lake, silver("shop.click.v1"), clicks)


@pytest.fixture
def judge(spark: SparkSession, quiet: Settings) -> Check:
    def run(now: datetime = NOW, full: bool = False) -> Checked:
        return check(spark, quiet, suites_of(TRANSACTIONS), now, full)

    return run


def failed(done: Checked) -> set[tuple[str, date]]:
    return {(result.expectation, result.event_date) for result in done.standing if result.outcome == "failed"}


def test_each_planted_fault_fails_its_expectation_on_its_date_and_nothing_else_fails(
    judge: Check, append: AppendLines
) -> None:
    assert failed(judge()) == set()
    planted = {name: LAST + timedelta(days=number) for number, name in enumerate(FAULTS)}
    append([line for name, day in planted.items() for line in FAULTS[name](quiet_day(day))])
    done = judge(now=NOW + timedelta(days=len(FAULTS) - 1))
    assert failed(done) == set(planted.items())
    assert done.dates == len(FAULTS)


def test_a_quiet_day_fails_nothing_and_a_stale_table_only_its_freshness(judge: Check, append: AppendLines) -> None:
    append(quiet_day(LAST))
    assert failed(judge()) == set()
    assert failed(judge(now=NOW + timedelta(days=3))) == {("freshness", LAST)}


def test_the_same_versions_again_make_no_commit(judge: Check, quiet: Settings) -> None:
    first = judge()
    version = commits.current_version(results_table(), quiet)
    again = judge()
    assert (again.dates, again.reason) == (0, f"{TRANSACTIONS} is still at version {first.source_version}")
    assert commits.current_version(results_table(), quiet) == version
    assert again.standing == first.standing
    (unasked,) = judged_already(quiet, [TRANSACTIONS], NOW) or []
    assert (unasked.dates, unasked.source_version, unasked.standing) == (0, first.source_version, first.standing)


def test_a_critical_failure_stops_and_is_remembered_until_it_is_mended(
    spark: SparkSession, quiet: Settings, append: AppendLines
) -> None:
    append(FAULTS["amounts"](quiet_day(LAST)))
    says = rf"silver/transactions: not as expected.*{LAST} shop\.transactions\.amounts: distribution \d+"
    for _ in range(2):
        with pytest.raises(NotAsExpectedError, match=says):
            judge_tables(spark, quiet, [TRANSACTIONS], NOW, full=False)
    DeltaTable.forPath(spark, table(TRANSACTIONS).path(quiet)).delete(f"event_date = DATE'{LAST}'")
    append(quiet_day(LAST))
    (judged,) = judge_tables(spark, quiet, [TRANSACTIONS], NOW, full=False).tables
    assert (judged.dates, judged.critical, judged.warnings) == (1, 0, 0)


def test_a_table_without_rows_is_judged_and_stops_nothing(
    spark: SparkSession, lake: Settings, append: AppendLines
) -> None:
    ensure_table(spark, table(TRANSACTIONS), lake)
    (first,) = judge_tables(spark, lake, [TRANSACTIONS], NOW, full=False).tables
    assert (first.dates, first.critical, first.warnings) == (None, 0, 0)
    assert critical_failures(lake, suites_of(TRANSACTIONS)) == []
    version = commits.current_version(results_table(), lake)
    (again,) = judge_tables(spark, lake, [TRANSACTIONS], NOW, full=False).tables
    assert (again.dates, commits.current_version(results_table(), lake)) == (0, version)
    append(quiet_day(LAST))
    (with_rows,) = judge_tables(spark, lake, [TRANSACTIONS], NOW, full=False).tables
    assert (with_rows.dates, with_rows.critical) == (1, 0)


def test_a_warning_stops_nothing(spark: SparkSession, quiet: Settings, append: AppendLines) -> None:
    append(FAULTS["products_known"](quiet_day(LAST)))
    (judged,) = judge_tables(spark, quiet, [TRANSACTIONS], NOW, full=False).tables
    assert (judged.critical, judged.warnings) == (0, 1)


def test_a_day_on_which_nothing_came_is_found_though_no_commit_tells_of_it(judge: Check, append: AppendLines) -> None:
    judge()
    append(quiet_day(LAST + timedelta(days=1)))
    later = judge(now=NOW + timedelta(days=1))
    assert failed(later) == {("volume", LAST)}


def test_a_day_that_is_over_is_judged_though_nothing_came_since(
    judge: Check, quiet: Settings, append: AppendLines
) -> None:
    append(FAULTS["volume"](quiet_day(LAST)))
    early = judge(now=NOW - timedelta(days=1))
    assert {result.outcome for result in early.standing if result.event_date == LAST} >= {"early"}
    assert failed(early) == set()
    over = judge(now=NOW)
    assert (over.dates, failed(over)) == (1, {("volume", LAST)})
    version = commits.current_version(results_table(), quiet)
    assert judge(now=NOW).dates == 0
    assert commits.current_version(results_table(), quiet) == version


def test_values_that_became_known_pass_though_the_table_has_no_new_version(
    judge: Check, quiet: Settings, append: AppendLines
) -> None:
    append(FAULTS["products_known"](quiet_day(LAST)))
    assert failed(judge()) == {("products_known", LAST)}
    version = commits.current_version(results_table(), quiet)
    assert failed(judge()) == {("products_known", LAST)}
    assert commits.current_version(results_table(), quiet) == version
    look_at(quiet, [f"x{product}" for product in PRODUCTS])
    mended = judge()
    assert (mended.dates, failed(mended)) == (1, set())
    assert commits.current_version(results_table(), quiet) == version + 1


def test_incremental_outcomes_are_those_of_a_full_run(
    spark: SparkSession, quiet: Settings, judge: Check, append: AppendLines
) -> None:
    """Late rows change what other dates are compared with, too, and so do days on which nothing came."""
    judge()
    closed = [LAST - timedelta(days=days) for days in (5, 6, 12, 19)]
    transactions = DeltaTable.forPath(spark, table(TRANSACTIONS).path(quiet))
    transactions.delete(" OR ".join(f"event_date = DATE'{day}'" for day in closed))
    judge()
    append([replace(line, event_id=f"late-{line.event_id}") for line in quiet_day(LAST - timedelta(days=14))])
    append(quiet_day(LAST))
    incremental = judge(now=NOW)
    assert incremental.dates is not None
    full = judge(now=NOW, full=True)
    assert full.dates is None
    plain = [
        {(result.expectation, result.event_date): (result.outcome, result.observed) for result in done.standing}
        for done in (incremental, full)
    ]
    assert_equal_but_for_older_duplicates(*plain)


def assert_equal_but_for_older_duplicates(incremental: Outcomes, full: Outcomes) -> None:
    assert {key: said for key, said in incremental.items() if key[0] != "lines_once"} == {
        key: said for key, said in full.items() if key[0] != "lines_once"
    }
    assert incremental.keys() == full.keys()
