"""When features that were served otherwise than the lake has them are reason to ask; the control store is SQLite."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from feature_store.consistency import check
from feature_store.consistency.check import Consistency, FeatureConsistency
from monitoring.control import Source, State, control_store
from monitoring.retraining.consistency import ask_of
from tests.cases.control_stores import ask
from tidemill.commands.features import command
from tidemill.config import load_settings

BEGIN, END = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)


def compared(mismatched: int) -> Consistency:
    """Of a hundred fetches of two features, so many with another value of the one."""
    features = (
        FeatureConsistency("spend_30d", 100 - mismatched, mismatched, 0, 0),
        FeatureConsistency("visits_7d", 100, 0, 0, 0),
    )
    return Consistency("churn", "00ff", BEGIN, END, 100, 0, {}, features)


def test_what_differs_is_named_with_its_figures() -> None:
    asked = ask_of("churn", compared(3), 0.0)
    assert asked is not None
    assert (asked.source, asked.key) == (Source.CONSISTENCY, "consistency")
    assert asked.reason == "1.50% of the values, of 1 feature, were served otherwise than the lake has them"
    assert asked.evidence["features"] == {"spend_30d": {"mismatched": 3, "missing": 0, "extra": 0}}
    assert (asked.evidence["from"], asked.evidence["fetches"]) == ("2026-03-01T00:00:00+00:00", 100)


def test_as_much_as_is_allowed_is_no_reason() -> None:
    assert ask_of("churn", compared(2), 0.01) is None
    assert ask_of("churn", compared(0), 0.0) is None


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TIDEMILL_HOME", str(tmp_path))
    return tmp_path


def consistency(monkeypatch: pytest.MonkeyPatch, mismatched: int, *options: str) -> Result:
    monkeypatch.setattr(check, "measure", lambda *_: compared(mismatched))
    return CliRunner().invoke(command, ["consistency", "churn", *options])


def test_the_command_asks_above_the_allowed_share_and_fails_all_the_same(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    differs = [consistency(monkeypatch, 3, "--request", "--json") for _ in range(2)]
    assert [result.exit_code for result in differs] == [1, 1]
    assert json.loads(differs[0].stdout)["rate"] == 0.015
    with control_store(load_settings()) as store:
        (kept,) = store.requests.newest()
    assert (kept.use_case, kept.source, kept.state, kept.asked) == ("churn", Source.CONSISTENCY, State.REQUESTED, 2)


def test_it_asks_for_nothing_unless_it_is_told_to_and_something_differs(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert consistency(monkeypatch, 0, "--request").exit_code == 0
    assert consistency(monkeypatch, 3).exit_code == 1
    with control_store(load_settings()) as store:
        assert store.requests.newest() == []


def test_the_limits_of_the_use_case_hold_and_the_refusal_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with control_store(load_settings()) as store:
        store.requests.ask(ask())
    assert "not asked for: request" in consistency(monkeypatch, 3, "--request").stderr
