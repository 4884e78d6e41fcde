"""The commands of a rollout, from its begin to its history."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from click.testing import CliRunner

from monitoring.control import ControlStoreAwayError
from monitoring.rollout import by_hand
from tests.cases.rollouts import Case
from tidemill.cli import cli
from tidemill.commands import rollout as commands
from tidemill.config.environment import settings_environment

Told = Callable[..., Any]


@pytest.fixture
def told(case: Case, monkeypatch: pytest.MonkeyPatch) -> Told:
    """Runs a command on the case's servers; the value is the JSON document that it printed."""
    for key, value in settings_environment(case.settings).items():
        monkeypatch.setenv(key, value)
    monkeypatch.setenv("TIDEMILL_CONTROL__URL", case.control_url)
    monkeypatch.setattr(commands, "check_use_case", lambda _: None)
    monkeypatch.setattr("ml_modeling.use_case.load_use_case", lambda _: case.work(policy="manual").use_case)

    def run(*arguments: str) -> Any:
        done = CliRunner().invoke(cli, [*arguments, "--json"])
        assert done.exit_code == 0, (done.output, done.exception)
        return json.loads(done.stdout)

    return run


def test_a_person_starts_approves_looks_and_rolls_back(case: Case, told: Told) -> None:
    champion = case.champion()
    case.say(champion, 20, at=case.clock.now - timedelta(hours=1))
    case.model()
    started = told("rollout", "start", case.name, "2", "--reason", "better", "--by", "ann")
    assert (started["action"], started["rollout"]["policy"], started["rollout"]["epoch"]) == ("wait", "manual", 1)
    assert told("rollout", "step", case.name)["why"] == "it waits for a person's approval"
    approved = told("models", "approve", case.name, "--version", "2", "--reason", "good", "--by", "bob")
    assert (approved["action"], approved["rollout"]["champion"]["version"]) == ("promote", "2")
    back = told("models", "rollback", case.name, "--reason", "complaints", "--by", "eve")
    assert (back["action"], back["to_version"], back["ended_rollout"]) == ("rollback", "1", None)
    entries = told("models", "history", case.name)
    assert {(entry["what"], entry["who"]) for entry in entries} == {
        ("promote", "ada"),
        ("manual begins at 0 %", "ann"),
        ("approved", "bob"),
        ("promote", "bob"),
        ("rollback", "eve"),
        ("traffic follows the registry", "eve"),
    }
    (promotion,) = (entry for entry in entries if (entry["what"], entry["who"]) == ("promote", "bob"))
    assert promotion["version"] == "1 -> 2"
    assert "replay: 20 answers of the champion are the same to the last bit" in promotion["evidence"]


@pytest.mark.matrix
def test_a_rollback_works_while_the_control_store_is_away_and_the_next_step_ends_the_rollout(
    case: Case, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    case.champion()
    by_hand.promote_by_hand(case.place, case.model().version.version, "the second")
    case.model()
    told("rollout", "start", case.name, "3", "--reason", "better")

    def away(*_: Any) -> None:
        raise ControlStoreAwayError("the control store does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(by_hand, "stop", away)
        back = told("models", "rollback", case.name, "--reason", "complaints")
    assert (back["to_version"], back["ended_rollout"]) == ("1", None)
    taken = told("rollout", "step", case.name)
    assert taken["action"] == "roll_back"
    assert taken["why"] == "the champion is version 1 now and not 2, with which the challenger was compared"
    assert taken["rollout"]["challenger"] is None
