"""``tidemill rollout`` and ``tidemill models approve``, on a store in a home folder of its own; no registry runs."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from monitoring.control import ControlStore, Policy, Rollout, Traffic
from tests.cases.control_stores import model
from tidemill.cli import cli
from tidemill.config.errors import TerminalError, TidemillError


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ControlStore:
    """What the commands read and write."""
    monkeypatch.setenv("TIDEMILL_HOME", str(tmp_path))
    monkeypatch.setenv("TIDEMILL_MLFLOW__TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("COLUMNS", "200")
    return ControlStore(f"sqlite:///{tmp_path}/control.db")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments))


def refusal(*arguments: str) -> TidemillError:
    error = run(*arguments).exception
    assert isinstance(error, TidemillError), error
    return error


def begin(store: ControlStore, policy: Policy = Policy.CANARY, share: int = 10) -> Rollout:
    traffic = Traffic(policy, model("1"), model("2"), share)
    return store.rollouts.change("churn", 0, traffic, actor="ann", reason="better")


def told(*arguments: str) -> Any:
    done = run(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_where_nothing_is_rolled_out_a_step_says_so_and_the_rest_is_refused(store: ControlStore) -> None:
    assert told("rollout", "step", "churn") == {"action": None, "why": "nothing is being rolled out", "rollout": None}
    assert "there is nothing to stop" in str(refusal("rollout", "stop", "churn", "--reason", "x"))
    assert "there is nothing to approve" in str(refusal("models", "approve", "churn", "--reason", "x"))


def test_a_stop_takes_effect_also_while_the_registry_is_away(store: ControlStore) -> None:
    begin(store)
    done = run("rollout", "stop", "churn", "--reason", "a campaign begins", "--by", "bob")
    assert done.exit_code == 0
    assert done.stdout == "stopped: epoch 2: champion 1 answers everybody\n"
    assert "the next `rollout step` settles the registry" in done.stderr
    now = store.rollouts.current("churn")
    assert now is not None
    assert (now.traffic, now.actor, now.reason) == (
        Traffic(Policy.CANARY, model("1")),
        "bob",
        "a campaign begins",
    )


def test_an_approval_is_of_the_version_that_is_shown_and_of_the_policy_that_waits(store: ControlStore) -> None:
    begin(store)
    assert "the policy of this rollout is canary" in str(refusal("models", "approve", "churn", "--reason", "x"))
    wrong = refusal("models", "approve", "churn", "--version", "7", "--reason", "x")
    assert "version 2 of 'churn' is being rolled out, not version 7" in str(wrong)


def test_a_use_case_that_is_none_is_named(store: ControlStore) -> None:
    error = refusal("rollout", "step", "churns")
    assert isinstance(error, TerminalError)
    assert "there is no use case 'churns'" in str(error)


def test_an_unknown_policy_is_refused_with_those_there_are(store: ControlStore) -> None:
    done = run("rollout", "start", "churn", "2", "--reason", "x", "--policy", "fast")
    assert done.exit_code == 2
    assert "'direct', 'manual', 'shadow', 'canary', 'ab', 'blue_green'" in done.stderr
