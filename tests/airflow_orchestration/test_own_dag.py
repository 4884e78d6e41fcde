"""The DAG of docs/orchestration.md, from a project's folder, in the real Airflow; commands are a stand-in."""

import json
from typing import Any

from tests.airflow_orchestration.platform_double import PlatformDouble
from tests.airflow_orchestration.rest import eventually
from tidemill.airflow_api import AirflowApi
from tidemill.airflow_client import AirflowClient, DagRun

DAG_ID = "churn_for_review"
ROWS = "features get --service=churn --by-name --json -- customer_id=C000017 customer_id=C000042"
REGISTER = "models register churn --run r1 --json"
VERSION = {"name": "churn", "version": "8", "aliases": ["challenger"], "run_id": "r1"}


def printed(document: Any) -> list[dict[str, Any]]:
    return [{"stdout": [json.dumps(document)]}]


def answers(*, passed: bool, returns: str) -> dict[str, list[dict[str, Any]]]:
    rows = [{"id": one, "status": {"purchases": "OK", "returns": returns}} for one in ("C000017", "C000042")]
    return {
        "models train": printed({"run_id": "r1"}),
        "models gate": printed({"passed": passed}),
        "features get": printed(rows),
        "models register": printed(VERSION),
    }


def run(client: AirflowClient) -> DagRun:
    return client.run(DAG_ID, None, timeout_s=240, poll_s=0.5)


def test_a_run_that_passes_is_registered_and_a_cleared_task_returns_the_version_again(
    platform: PlatformDouble, client: AirflowClient, api: AirflowApi
) -> None:
    platform.answer(answers(passed=True, returns="OK"))
    ended = run(client)
    ended.raise_for_failure()
    assert client.returned(ended, "register") == VERSION
    assert platform.command_lines() == [
        "models train churn --json",
        "models evaluate churn --run r1 --json",
        "models gate churn --run r1 --json",
        ROWS,
        REGISTER,
    ]
    body = {"dry_run": False, "dag_run_id": ended.run_id, "task_ids": ["register"], "only_failed": False}
    api.request("POST", f"/dags/{DAG_ID}/clearTaskInstances", json=body)
    eventually(lambda: len(platform.calls()) == 6, "the cleared task")
    again = client.wait(DAG_ID, ended.run_id, progress=lambda run: None, timeout_s=240, poll_s=0.5)
    assert client.returned(again, "register") == VERSION
    assert platform.command_lines()[5:] == [REGISTER]


def test_a_run_that_failed_a_gate_is_not_registered(platform: PlatformDouble, client: AirflowClient) -> None:
    platform.answer(answers(passed=False, returns="OK"))
    ended = run(client)
    ended.raise_for_failure()
    assert ended.tasks["register"] == "skipped"
    assert REGISTER not in platform.command_lines()


def test_features_that_are_not_there_stop_the_run_before_it_registers(
    platform: PlatformDouble, client: AirflowClient
) -> None:
    platform.answer(answers(passed=True, returns="LOST"))
    ended = run(client)
    assert ended.failure is not None
    assert ended.failure.task_id == "features_are_served"
    assert "no features of C000017: {'purchases': 'OK', 'returns': 'LOST'}" in ended.failure.log_tail[-1]
    assert REGISTER not in platform.command_lines()
