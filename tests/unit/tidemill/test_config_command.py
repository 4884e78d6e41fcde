"""``tidemill config show`` as a person sees it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from tidemill.cli import cli


def test_config_show_names_the_origin_and_hides_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEMILL_HOME", str(tmp_path))
    monkeypatch.setenv("TIDEMILL_REDIS__PASSWORD", "hunter2")
    result = CliRunner().invoke(cli, ["config", "show", "--json"])
    assert result.exit_code == 0, result.output
    rows = {row["key"]: row for row in json.loads(result.output)}
    assert rows["home"]["value"] == str(tmp_path)
    assert rows["redis.password"] == {
        "key": "redis.password",
        "value": "********",
        "origin": "environment TIDEMILL_REDIS__PASSWORD",
    }
    assert "hunter2" not in result.output
    assert rows["secret.airflow_password"]["value"] == "********"


def test_help_lists_every_command_without_importing_it() -> None:
    result = CliRunner().invoke(cli, ["--help"])
    assert result.exit_code == 0
    assert all(name in result.output for name in ("up", "down", "reconcile", "models"))
