"""Lists of more than one page. Airflow's REST API is played here, with its bound of 100 entries in an answer."""

from typing import Any

import pytest

from tidemill.airflow_api import AirflowApi, AirflowRefusedError, AirflowUnavailableError
from tidemill.airflow_client import AirflowClient
from tidemill.config import load_settings

AIRFLOWS_BOUND = 100
DAGS = [{"dag_id": f"retrain_churn_{number:03}"} for number in range(150)]
IMPORT_ERRORS = [{"filename": f"dag_{number:03}.py", "stack_trace": f"error {number}"} for number in range(150)]
TASKS = [
    {
        "task_id": f"task_{number:03}",
        "state": "failed" if number == 149 else "success",
        "start_date": f"2026-01-01T00:{number:03}",
        "dag_id": "wide",
        "dag_run_id": "run",
        "try_number": 1,
    }
    for number in range(150)
]
LISTS = {
    "/dags": ("dags", DAGS),
    "/importErrors": ("import_errors", IMPORT_ERRORS),
    "/dags/wide/dagRuns/run/taskInstances": ("task_instances", TASKS),
}


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> AirflowClient:
    def answer(_: AirflowApi, method: str, path: str, params: dict[str, Any] | None = None) -> Any:
        assert method == "GET"
        if path == "/dags/wide/dagRuns/run":
            return {"state": "failed"}
        if path.endswith("/logs/1"):
            return {"content": ["the end"]}
        key, entries = LISTS[path]
        asked = params or {}
        first, limit = asked.get("offset", 0), min(asked.get("limit", 50), AIRFLOWS_BOUND)
        return {key: entries[first : first + limit], "total_entries": len(entries)}

    monkeypatch.setattr(AirflowApi, "request", answer)
    return AirflowClient(load_settings({}))


def test_a_dag_behind_a_hundred_others_is_found(client: AirflowClient) -> None:
    client.wait_for_dag("retrain_churn_149", timeout_s=0)


def test_an_import_error_behind_a_hundred_others_is_told(client: AirflowClient) -> None:
    with pytest.raises(AirflowRefusedError, match=r"dag_149\.py does not import:\nerror 149"):
        client.wait_for_dag("dag_149", timeout_s=0)


def test_what_does_not_import_is_told_of_a_dag_that_does_not_show_up(client: AirflowClient) -> None:
    with pytest.raises(AirflowUnavailableError, match=r"did not show up .*; dag_149\.py does not import: error 149"):
        client.wait_for_dag("retrain_next_visits", timeout_s=0)


def test_every_task_of_a_wide_run_is_seen_and_the_failed_one_named(client: AirflowClient) -> None:
    run = client.look("wide", "run")

    assert list(run.tasks) == [task["task_id"] for task in TASKS]
    assert run.failure is not None
    assert (run.failure.task_id, run.failure.log_tail) == ("task_149", ("the end",))
