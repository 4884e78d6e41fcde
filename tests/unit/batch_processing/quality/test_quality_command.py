"""``tidemill quality show`` and ``docs`` over results that delta-rs wrote: no JVM is asked."""

import json
import re
import sys
from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from batch_processing.quality.gate import NotAsExpectedError, critical_failures, refuse
from batch_processing.quality.observing import FURTHEST
from batch_processing.quality.results import Result, notes, results_table, standing
from data_lake.delta_tables import create_table
from data_lake.expectations import suites_of
from tests.cases.lake import append_rows
from tidemill.cli import cli
from tidemill.config import Settings, load_settings

TRANSACTIONS = "silver/transactions"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("TIDEMILL_HOME", str(tmp_path))
    return load_settings()


def result(day: int, expectation: str, outcome: str, **changed: Any) -> Result:
    (suite,) = suites_of(TRANSACTIONS)
    kind = suite.expectations[expectation]
    low, high = kind.bounds
    values: dict[str, Any] = {
        "table_name": TRANSACTIONS,
        "event_date": date(2026, 3, day),
        "suite": suite.name,
        "suite_digest": suite.digest,
        "expectation": expectation,
        "kind": kind.kind,
        "severity": str(kind.severity),
        "outcome": outcome,
        "observed": 9.0 if outcome == "failed" else 1.0,
        "low": low,
        "high": high,
        "rows": 50,
        "why": None,
        "source_version": 4,
        "judged_at": datetime(2026, 3, 31, tzinfo=UTC),
    }
    return Result(**(values | changed))


@pytest.fixture
def judged(settings: Settings) -> Settings:
    create_table(results_table(), settings)
    results = [
        result(1, "amounts", "passed"),
        result(2, "amounts", "failed"),
        result(2, "volume", "failed"),
        result(3, "amounts", "failed", suite_digest="of another text"),
    ]
    append_rows(settings, results_table(), map(asdict, results))
    return settings


def test_what_is_infinitely_far_is_held_by_the_table_json_and_the_pages(settings: Settings, tmp_path: Path) -> None:
    create_table(results_table(), settings)
    append_rows(settings, results_table(), [asdict(result(2, "amounts", "failed", observed=FURTHEST))])
    (row,) = json.loads(run("show", "--json"))
    assert row["observed"] == sys.float_info.max
    assert " infinite " in run("show")
    run("docs", "--to", str(tmp_path / "pages"))
    page = (tmp_path / "pages" / "shop.transactions.html").read_text(encoding="utf-8")
    assert "infinite" in page
    assert "e+308" not in page


def run(*arguments: str) -> str:
    return CliRunner().invoke(cli, ["quality", *arguments], catch_exceptions=False).stdout


def test_what_fails_is_shown_the_newest_first_and_the_rest_on_demand(judged: Settings) -> None:
    failed = json.loads(run("show", "--json"))
    assert [(row["event_date"], row["expectation"]) for row in failed] == [
        ("2026-03-02", "amounts"),
        ("2026-03-02", "volume"),
    ]
    assert len(json.loads(run("show", TRANSACTIONS, "--all", "--json"))) == 3
    assert json.loads(run("show", "--from", "2026-03-03", "--json")) == []
    assert "at most 5" in run("show")


def test_a_table_of_which_nothing_is_expected_is_named(judged: Settings) -> None:
    refused = CliRunner().invoke(cli, ["quality", "show", "silver/transaction"]).exception
    assert "nothing is expected of 'silver/transaction'" in str(refused)
    assert "did you mean 'silver/transactions'?" in str(refused)


def test_only_critical_failures_of_suites_as_they_are_now_stop(judged: Settings) -> None:
    (stopping,) = critical_failures(judged, suites_of(TRANSACTIONS))
    assert (stopping.expectation, stopping.event_date) == ("amounts", date(2026, 3, 2))
    with pytest.raises(NotAsExpectedError, match=r"2026-03-02 shop\.transactions\.amounts: distribution 9, at most 5"):
        refuse([stopping])


def test_where_nothing_was_judged_nothing_stands(settings: Settings) -> None:
    assert standing(settings, suites_of(TRANSACTIONS)) == []
    assert notes(settings) == {}
    refuse(critical_failures(settings, suites_of(TRANSACTIONS)))


def test_the_pages_tell_of_each_suite_and_fetch_nothing(judged: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "pages"
    assert run("docs", "--to", str(folder)).strip() == (folder / "index.html").as_uri()
    index, page = ((folder / name).read_text(encoding="utf-8") for name in ("index.html", "shop.transactions.html"))
    assert "<a href='shop.transactions.html'>" in index
    assert "2026-03-02" in page
    assert "factor between quantiles of quantity * unit_price" in page
    for text in (index, page):
        assert re.findall(r"""(?:src=|url\(|@import)\s*["']?(?:https?:)?//""", text) == []
        assert re.findall(r"<(?:link|script|img|iframe)\b[^>]*//", text) == []
