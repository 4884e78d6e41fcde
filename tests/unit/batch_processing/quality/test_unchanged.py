"""A run that has nothing to judge starts no Spark, and says what stands all the same."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from click.testing import CliRunner, Result

from batch_processing.quality.unchanged import judged_already
from data_lake.delta_rs import open_table
from data_lake.expectations import Suite, suites_of
from data_lake.tables import table
from tests.cases.lake import append_rows
from tests.cases.transactions import Line, silver_row
from tidemill.cli import cli
from tidemill.config import Settings

TRANSACTIONS = "silver/transactions"
NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
FRESH: Mapping[str, Any] = {"expectation": "freshness", "kind": "freshness", "severity": "warning", "high": 48.0}
"""An hour old when it was judged, six hours before ``NOW``."""
FAILED: Mapping[str, Any] = {"outcome": "failed", "observed": 100.0}


@pytest.fixture
def suite(lake: Settings) -> Suite:
    (suite,) = suites_of(TRANSACTIONS)
    return suite


@pytest.fixture
def commit(suite: Suite, commit_results: Callable[..., None]) -> Callable[..., None]:
    return lambda *changed: commit_results({suite.name: suite.digest}, *changed)


def is_unchanged(lake: Settings, now: datetime = NOW) -> bool:
    return judged_already(lake, [TRANSACTIONS], now) is not None


def test_a_table_that_was_judged_as_it_is_has_nothing_to_judge(lake: Settings, commit: Callable[..., None]) -> None:
    commit(FRESH, FAILED)
    (checked,) = judged_already(lake, [TRANSACTIONS], NOW) or []
    assert (checked.dates, checked.reason) == (0, f"{TRANSACTIONS} has no changed row since version 0")
    assert [result.expectation for result in checked.stops] == ["amounts"]


def test_a_commit_that_changed_rows_has_something_to_judge_and_one_of_maintenance_has_not(
    lake: Settings, commit: Callable[..., None]
) -> None:
    append_rows(lake, table(TRANSACTIONS), [silver_row(Line(NOW, "c", "o", "p", 1, Decimal(1)))])
    commit(FRESH)
    open_table(table(TRANSACTIONS), lake).optimize.compact()
    assert is_unchanged(lake)
    append_rows(lake, table(TRANSACTIONS), [silver_row(Line(NOW, "c", "o", "p", 1, Decimal(1)))])
    assert not is_unchanged(lake)


@pytest.mark.parametrize(
    "changed",
    [
        {"outcome": "early", "observed": None},
        {"outcome": "failed", "kind": "known", "expectation": "products_known"},
    ],
    ids=["a day that is over", "a value that was not known"],
)
def test_what_is_due_is_judged(lake: Settings, commit: Callable[..., None], changed: Mapping[str, Any]) -> None:
    commit(FRESH, changed)
    assert not is_unchanged(lake)


def test_a_day_that_is_not_over_is_not_due(lake: Settings, commit: Callable[..., None]) -> None:
    commit(FRESH, {"outcome": "early", "observed": None, "event_date": date(2026, 3, 31)})
    assert is_unchanged(lake)
    assert not is_unchanged(lake, NOW + timedelta(hours=12))


def test_freshness_goes_by_the_clock(lake: Settings, commit: Callable[..., None]) -> None:
    commit(FRESH)
    assert is_unchanged(lake, NOW + timedelta(hours=41))
    assert not is_unchanged(lake, NOW + timedelta(hours=41, minutes=1))


@pytest.mark.parametrize("changed", [(), ({**FRESH, "outcome": "failed"},)], ids=["no age", "too old"])
def test_a_table_without_an_age_that_passed_is_looked_at(
    lake: Settings, commit: Callable[..., None], changed: tuple[Mapping[str, Any], ...]
) -> None:
    commit(*changed)
    assert not is_unchanged(lake)


def test_what_was_never_judged_or_by_another_suite_has_something_to_judge(
    lake: Settings, suite: Suite, commit_results: Callable[..., None]
) -> None:
    assert not is_unchanged(lake)
    commit_results({suite.name: "another text"}, FRESH)
    assert not is_unchanged(lake)
    assert judged_already(lake, ["silver/clicks"], NOW) is None


def ran(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["quality", "run", *arguments])


@pytest.fixture
def spark_jobs(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The arguments of each job of Spark that was to be started."""
    started: list[Any] = []
    monkeypatch.setattr(
        "data_lake.spark.become_spark_submit", lambda _settings, _job, arguments: started.append(arguments)
    )
    return started


def test_the_command_starts_no_spark_for_nothing(commit: Callable[..., None], spark_jobs: list[Any]) -> None:
    commit({**FRESH, "judged_at": datetime.now(UTC)})
    done = ran(TRANSACTIONS)
    (judged,) = json.loads(done.stdout.splitlines()[-1])["tables"]
    assert (done.exit_code, judged["dates"], judged["critical"], spark_jobs) == (0, 0, 0, [])
    ran(TRANSACTIONS, "--full")
    assert spark_jobs == [[TRANSACTIONS, "--full"]]


def test_the_command_fails_while_a_critical_failure_stands(commit: Callable[..., None], spark_jobs: list[Any]) -> None:
    commit({**FRESH, "judged_at": datetime.now(UTC)}, FAILED)
    done = ran(TRANSACTIONS)
    assert (done.exit_code, spark_jobs) == (1, [])
    assert "data_quality: silver/transactions: not as expected, so what stands behind waits" in done.stderr
