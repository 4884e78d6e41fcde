"""A use case is not trained while a table that it learns from fails a critical expectation; no JVM is asked."""

from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from batch_processing.quality.results import Result, results_table
from data_lake.delta_tables import create_table
from data_lake.expectations import suites_of
from ml_modeling.tables_read import tables_read
from ml_modeling.use_case import load_use_case
from monitoring.retraining.data import require_good_data
from monitoring.retraining.errors import DataNotAsExpectedError
from tests.cases.lake import append_rows
from tidemill.config import Settings, load_settings

TRANSACTIONS = "silver/transactions"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"TIDEMILL_HOME": str(tmp_path)})


def judged(settings: Settings, outcome: str, severity: str = "critical") -> None:
    (suite,) = suites_of(TRANSACTIONS)
    result = Result(
        table_name=TRANSACTIONS,
        event_date=date(2026, 3, 2),
        suite=suite.name,
        suite_digest=suite.digest,
        expectation="amounts",
        kind="distribution",
        severity=severity,
        outcome=outcome,
        observed=100.0,
        low=None,
        high=5.0,
        rows=60,
        why="quantile 0.5 is 250, 2.5 is usual",
        source_version=3,
        judged_at=datetime(2026, 3, 3, tzinfo=UTC),
    )
    create_table(results_table(), settings)
    append_rows(settings, results_table(), [asdict(result)])


def test_the_tables_of_a_use_case_are_those_of_its_question_and_its_features() -> None:
    assert TRANSACTIONS in tables_read(load_use_case("churn"))
    assert set(tables_read(load_use_case("fraud"))) == {"silver/card_transactions", "silver/card_verdicts"}


def test_it_waits_while_what_it_learns_from_is_not_as_expected(settings: Settings) -> None:
    judged(settings, "failed")
    says = (
        r"churn is not trained: silver/transactions: not as expected.*amounts: distribution 100, at most 5 \(quantile"
    )
    with pytest.raises(DataNotAsExpectedError, match=says) as raised:
        require_good_data(settings, load_use_case("churn"))
    assert raised.value.exit_status == 75
    require_good_data(settings, load_use_case("fraud"))


@pytest.mark.parametrize(("outcome", "severity"), [("passed", "critical"), ("failed", "warning")])
def test_what_is_as_expected_and_what_is_a_warning_lets_it_be_trained(
    settings: Settings, outcome: str, severity: str
) -> None:
    judged(settings, outcome, severity)
    require_good_data(settings, load_use_case("churn"))


def test_where_nothing_was_judged_it_is_trained(settings: Settings) -> None:
    require_good_data(settings, load_use_case("churn"))
