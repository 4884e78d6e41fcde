import json
from typing import Any

import pytest
from click.testing import CliRunner

from tidemill.airflow_client import AirflowClient, DagRun
from tidemill.commands.dags import _conf, command

REASONS = ["better than the baseline: mae minus the baseline's is -0.049 [-0.180, 0.078]"]


def test_a_value_is_json_or_a_text() -> None:
    assert _conf(["trials=8", "use_case=churn", 'tags=["a"]', "reason=a=b", "empty="]) == {
        "trials": 8,
        "use_case": "churn",
        "tags": ["a"],
        "reason": "a=b",
        "empty": "",
    }


@pytest.mark.parametrize("pair", ["trials", "=8"])
def test_what_is_no_pair_is_named(pair: str) -> None:
    done = CliRunner().invoke(command, ["run", "retrain_churn", "--conf", pair])
    assert done.exit_code == 2
    assert f"'{pair}' is not KEY=VALUE" in done.output


@pytest.mark.parametrize(("kept", "refused"), [("success", REASONS), ("skipped", [])])
def test_a_model_that_was_not_promoted_is_told_with_the_reasons(
    kept: str, refused: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Airflow is played: what the DAG itself says is tested with the real one."""

    def run(_: AirflowClient, dag_id: str, *__: Any, **___: Any) -> DagRun:
        return DagRun(dag_id, "manual__1", "success", {"gate": "success", "keep_champion": kept}, "http://airflow/run")

    monkeypatch.setattr(AirflowClient, "run", run)
    monkeypatch.setattr(AirflowClient, "returned", lambda _, __, task: {"keep_champion": REASONS}[task])
    done = CliRunner().invoke(command, ["run", "retrain_next_visits"])
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        *(f"not promoted: {reason}" for reason in refused),
        "retrain_next_visits success: http://airflow/run",
    ]
    assert json.loads(CliRunner().invoke(command, ["run", "x", "--json"]).stdout)["refused"] == refused
