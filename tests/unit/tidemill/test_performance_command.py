"""``tidemill models performance``, over metrics that delta-rs wrote."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from data_lake.delta_tables import create_table
from data_lake.tables import table
from tests.cases.lake import append_rows
from tidemill.cli import cli
from tidemill.config import load_settings
from tidemill.config.errors import TidemillError

TODAY = datetime.now(UTC).date()
"""That of the command may be a day later: what it counts back to is a day away from the rows."""


def measured(day: date, metric: str, value: float | None, **changed: Any) -> dict[str, Any]:
    row = {
        "event_date": day,
        "use_case": "churn",
        "model_run_id": "r1",
        "model_id": "m1",
        "model_version": "3",
        "arm": "champion",
        "predictions": 1_200,
        "left_out": 30,
        "known": 1_000,
        "entities": 700,
        "metric": metric,
        "value": value,
        "low": None if value is None else value - 0.02,
        "high": None if value is None else value + 0.02,
        "confidence": 0.95,
        "event_month": f"{day:%Y-%m}",
    }
    return row | changed


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEMILL_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    settings, declared = load_settings(), table("gold/model_performance")
    create_table(declared, settings)
    rows = [
        measured(TODAY, "roc_auc", None),
        measured(TODAY, "brier", 0.125),
        measured(TODAY, "brier", 0.5, use_case="fraud"),
        measured(TODAY - timedelta(days=5), "brier", 0.25, model_run_id="", model_id=""),
        measured(TODAY - timedelta(days=8), "brier", 0.75),
    ]
    append_rows(settings, declared, rows)


def performance(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["models", "performance", *arguments])


@pytest.mark.usefixtures("lake")
def test_it_prints_the_days_asked_for_of_one_use_case() -> None:
    found = json.loads(performance("churn", "--days", "7", "--json").stdout)
    told = [(row["event_date"], row["metric"], row["value"]) for row in found]
    assert told == [
        ((TODAY - timedelta(days=5)).isoformat(), "brier", 0.25),
        (TODAY.isoformat(), "brier", 0.125),
        (TODAY.isoformat(), "roc_auc", None),
    ]
    assert (found[0]["model_run_id"], found[1]["model_run_id"]) == ("", "r1")


@pytest.mark.usefixtures("lake")
def test_people_see_intervals_and_what_cannot_be_told() -> None:
    shown = performance("churn", "--days", "7").stdout
    assert "0.105 to 0.145" in shown
    assert "cannot be told" in shown
    assert "1,000 of 1,200" in shown
    assert "0.750" not in shown


@pytest.mark.parametrize(("name", "said"), [("churn", "does not exist"), ("no_such", "no use case 'no_such'")])
def test_without_metrics_it_says_what_is_missing(
    name: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDEMILL_HOME", str(tmp_path))
    error = performance(name).exception
    assert isinstance(error, TidemillError)
    assert said in str(error)
