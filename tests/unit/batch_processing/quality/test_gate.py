"""What stands behind a table waits until each of its suites, as it reads now, has judged it; no JVM is asked."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import CommitProperties, write_deltalake

from batch_processing.incremental import Note
from batch_processing.quality.gate import NotAsExpectedError, NotJudgedError, critical_failures
from batch_processing.quality.results import Result, metadata, results_table
from data_lake.delta_rs import open_table
from data_lake.delta_tables import create_table
from data_lake.expectations import suites_of
from data_lake.tables import table
from tidemill.config import Settings, load_settings

TRANSACTIONS = "silver/transactions"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = load_settings({"TIDEMILL_HOME": str(tmp_path)})
    create_table(table(TRANSACTIONS), settings)
    return settings


def judged(settings: Settings, digests: Mapping[str, str], *failed: str) -> None:
    """A run's commit, by suites with ``digests``; each of ``failed`` fails on a day."""
    results = [
        Result(
            table_name=TRANSACTIONS,
            event_date=date(2026, 3, 2),
            suite=suite,
            suite_digest=digests[suite],
            expectation="amounts",
            kind="distribution",
            severity="critical",
            outcome="failed",
            observed=100.0,
            low=None,
            high=5.0,
            rows=60,
            why=None,
            source_version=0,
            judged_at=datetime(2026, 3, 3, tzinfo=UTC),
        )
        for suite in failed
    ]
    create_table(results_table(), settings)
    delta = open_table(results_table(), settings)
    rows = pa.Table.from_pylist([asdict(result) for result in results], schema=pa.schema(delta.schema().to_arrow()))
    note = metadata({TRANSACTIONS: Note(TRANSACTIONS, "id", 0, digests)})
    write_deltalake(delta, rows, mode="append", commit_properties=CommitProperties({"userMetadata": note}))


def test_in_a_lake_where_nothing_was_ever_judged_nothing_waits(settings: Settings) -> None:
    assert critical_failures(settings, suites_of(TRANSACTIONS)) == []


def test_what_fails_by_a_suite_as_it_reads_now_is_told(settings: Settings) -> None:
    suites = suites_of(TRANSACTIONS)
    (name,) = (suite.name for suite in suites)
    judged(settings, {suite.name: suite.digest for suite in suites}, name)
    (stops,) = critical_failures(settings, suites)
    assert (stops.suite, stops.expectation) == (name, "amounts")


def test_an_edited_suite_opens_nothing_until_it_has_judged(settings: Settings) -> None:
    (suite,) = suites_of(TRANSACTIONS)
    judged(settings, {suite.name: suite.digest}, suite.name)
    edited = replace(suite, digest="with a comment")
    says = r"not judged yet by shop\.transactions as it reads now: run `tidemill quality run silver/transactions` first"
    with pytest.raises(NotJudgedError, match=says) as raised:
        critical_failures(settings, [edited])
    assert isinstance(raised.value, NotAsExpectedError)
    judged(settings, {suite.name: edited.digest})
    assert critical_failures(settings, [edited]) == []


def test_a_suite_that_is_new_opens_nothing_until_it_has_judged(settings: Settings) -> None:
    (suite,) = suites_of(TRANSACTIONS)
    judged(settings, {suite.name: suite.digest})
    with pytest.raises(NotJudgedError, match=r"not judged yet by till\.sales as"):
        critical_failures(settings, [suite, replace(suite, name="till.sales")])


def test_of_a_table_that_does_not_exist_there_is_nothing_to_judge(settings: Settings) -> None:
    (suite,) = suites_of(TRANSACTIONS)
    judged(settings, {suite.name: suite.digest})
    assert critical_failures(settings, [suite, replace(suite, name="till.clicks", table="silver/clicks")]) == []
