"""What the tests ask of Airflow's REST API beyond what the project's own client offers."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

from tidemill.airflow_api import AirflowApi, AirflowRefusedError
from tidemill.airflow_client import AirflowClient, DagRun

TIMEOUT_S = 240.0
T = TypeVar("T")


def handled_commits(api: AirflowApi, dag_id: str) -> Any:
    """The record of handled commits as Airflow's variable has it, as JSON text; None before the first."""
    try:
        return api.get(f"/variables/handled_commits.{dag_id}")["value"]
    except AirflowRefusedError as error:
        assert "answered 404" in str(error)
        return None


def forget_handled(api: AirflowApi, dag_id: str) -> None:
    if handled_commits(api, dag_id) is not None:
        api.request("DELETE", f"/variables/handled_commits.{dag_id}")


def run_ids(api: AirflowApi, dag_id: str) -> set[str]:
    return {run["dag_run_id"] for run in api.listed(f"/dags/{dag_id}/dagRuns", "dag_runs", "id")}


def active_runs(api: AirflowApi, dag_id: str) -> int:
    return int(api.get(f"/dags/{dag_id}/dagRuns", state=["running"], limit=1)["total_entries"])


def next_run(api: AirflowApi, client: AirflowClient, dag_id: str, before: set[str]) -> DagRun:
    """The run of ``dag_id`` that is not in ``before``, once it has ended."""
    found = eventually(lambda: sorted(run_ids(api, dag_id) - before), f"a new run of {dag_id}")
    return client.wait(dag_id, found[0], progress=lambda run: None, timeout_s=TIMEOUT_S, poll_s=0.5)


def eventually(condition: Callable[[], T], what: str) -> T:
    """The first true value of ``condition``."""
    deadline = time.monotonic() + TIMEOUT_S
    while not (value := condition()):
        assert time.monotonic() < deadline, f"still waiting for {what}"
        time.sleep(0.3)
    return value
