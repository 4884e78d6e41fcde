"""What stands behind a table waits until each of its suites, as it reads now, has judged it; no JVM is asked."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from batch_processing.quality.gate import NotAsExpectedError, NotJudgedError, critical_failures
from data_lake.expectations import Suite, suites_of
from tidemill.config import Settings

FAILED = {"outcome": "failed", "observed": 100.0}


@pytest.fixture
def suite(lake: Settings) -> Suite:
    (suite,) = suites_of("silver/transactions")
    return suite


def test_in_a_lake_where_nothing_was_ever_judged_nothing_waits(lake: Settings, suite: Suite) -> None:
    assert critical_failures(lake, [suite]) == []


def test_what_fails_by_a_suite_as_it_reads_now_is_told(
    lake: Settings, suite: Suite, commit_results: Callable[..., None]
) -> None:
    commit_results({suite.name: suite.digest}, FAILED)
    (stops,) = critical_failures(lake, [suite])
    assert (stops.suite, stops.expectation) == ("shop.transactions", "amounts")


def test_an_edited_suite_opens_nothing_until_it_has_judged(
    lake: Settings, suite: Suite, commit_results: Callable[..., None]
) -> None:
    commit_results({suite.name: suite.digest}, FAILED)
    edited = replace(suite, digest="with a comment")
    says = r"not judged yet by shop\.transactions as it reads now: run `tidemill quality run silver/transactions` first"
    with pytest.raises(NotJudgedError, match=says) as raised:
        critical_failures(lake, [edited])
    assert isinstance(raised.value, NotAsExpectedError)
    commit_results({suite.name: edited.digest})
    assert critical_failures(lake, [edited]) == []


def test_a_suite_that_is_new_opens_nothing_until_it_has_judged(
    lake: Settings, suite: Suite, commit_results: Callable[..., None]
) -> None:
    commit_results({suite.name: suite.digest})
    with pytest.raises(NotJudgedError, match=r"not judged yet by till\.sales as"):
        critical_failures(lake, [suite, replace(suite, name="till.sales")])


def test_of_a_table_that_does_not_exist_there_is_nothing_to_judge(
    lake: Settings, suite: Suite, commit_results: Callable[..., None]
) -> None:
    commit_results({suite.name: suite.digest})
    assert critical_failures(lake, [suite, replace(suite, name="till.clicks", table="silver/clicks")]) == []
