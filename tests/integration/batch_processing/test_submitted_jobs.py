"""The job as a person or Airflow runs it: exit status and standard output."""

import json
import os
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from tests.cases.order_days import FAULTS, quiet_day
from tests.cases.transactions import Line
from tests.integration.batch_processing.conftest import AppendLines
from tests.integration.batch_processing.test_gold import line
from tidemill.config import Settings
from tidemill.config.environment import settings_environment
from tidemill.config.settings import REPO

MONDAYS = [date(2026, 3, 2) + timedelta(weeks=week) for week in range(4)]


def tidemill(lake: Settings, *arguments: str) -> "subprocess.CompletedProcess[str]":
    program = Path(sys.executable).with_name("tidemill")
    return subprocess.run(
        [program, *arguments],
        env=os.environ | settings_environment(lake),
        cwd=REPO,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_refresh_prints_one_json_line_last(spark: SparkSession, lake: Settings, append: AppendLines) -> None:
    append([line("2011-01-03", "a"), line("2011-01-03", "b")])
    done = tidemill(lake, "lake", "refresh", "customer_daily")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert (report["table"], report["rows"], report["dates"]) == ("gold/customer_daily", 2, None)


def test_a_submitted_job_without_its_source_asks_to_be_tried_again(lake: Settings) -> None:
    done = tidemill(lake, "submit", "batch_processing/daily.py", "daily_product_sales")
    assert done.returncode == 75
    # spark-submit joins a Python program's standard error to its standard output.
    assert "gold/daily_product_sales: silver/transactions does not exist" in done.stdout


def test_a_table_that_nobody_declares_is_refused_before_spark_starts(lake: Settings) -> None:
    done = tidemill(lake, "lake", "refresh", "customer_dayly")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "no gold table 'customer_dayly'" in done.stderr
    assert "did you mean 'customer_daily'?" in done.stderr


@pytest.mark.matrix
def test_outcomes_without_a_log_have_nothing_to_join(lake: Settings) -> None:
    done = tidemill(lake, "models", "outcomes", "churn", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    (joined,) = json.loads(done.stdout.splitlines()[-1])["joined"]
    assert (joined["use_case"], joined["changed"]) == ("churn", 0)
    assert "silver/predictions does not exist" in joined["reason"]


@pytest.mark.matrix
def test_a_table_that_is_not_as_expected_ends_the_command_with_the_sentence(
    spark: SparkSession, lake: Settings, append: AppendLines
) -> None:
    def lines(day: date) -> list[Line]:
        return quiet_day(day) if day != MONDAYS[-1] else FAULTS["amounts"](quiet_day(day))

    append([line for day in MONDAYS[:-1] for line in lines(day)])
    done = tidemill(lake, "quality", "run", "silver/transactions")
    assert done.returncode == 0, done.stdout + done.stderr
    (judged,) = json.loads(done.stdout.splitlines()[-1])["tables"]
    assert (judged["table"], judged["dates"], judged["critical"]) == ("silver/transactions", None, 0)
    append(lines(MONDAYS[-1]))
    stopped = tidemill(lake, "quality", "run", "--use-case", "churn")
    assert stopped.returncode == 1
    says = f"data_quality: silver/transactions: not as expected, so what stands behind waits: {MONDAYS[-1]} shop.trans"
    assert says in stopped.stdout
    shown = tidemill(lake, "quality", "show", "--json")
    failed = {(row["expectation"], row["event_date"]) for row in json.loads(shown.stdout)}
    assert ("amounts", f"{MONDAYS[-1]}") in failed
