"""What the tests ask of Airflow's REST API beyond what the project's own client offers."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

from tidemill.airflow_api import AirflowApi, AirflowRefusedError, AirflowUnavailableError
from tidemill.airflow_client import AirflowClient, DagRun

TIMEOUT_S = 240.0
# The schedule's newest time (``conftest`` sets it to yearly): after an older one, Airflow would make a run of this one.
NEW_YEAR = f"{datetime.now(UTC).year}-01-01T00:00:00Z"
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


def run(client: AirflowClient, dag_id: str, conf: dict[str, Any] | None = None) -> DagRun:
    """A run that is started now, once it has ended."""
    return client.run(dag_id, conf, timeout_s=TIMEOUT_S, poll_s=0.5)


def run_ids(api: AirflowApi, dag_id: str) -> set[str]:
    return {run["dag_run_id"] for run in api.listed(f"/dags/{dag_id}/dagRuns", "dag_runs", "id")}


def active_runs(api: AirflowApi, dag_id: str) -> int:
    return int(api.get(f"/dags/{dag_id}/dagRuns", state=["running"], limit=1)["total_entries"])


def next_run(api: AirflowApi, client: AirflowClient, dag_id: str, before: set[str]) -> DagRun:
    """The run of ``dag_id`` that is not in ``before``, once it has ended."""
    found = eventually(lambda: sorted(run_ids(api, dag_id) - before), f"a new run of {dag_id}")
    return client.wait(dag_id, found[0], progress=lambda run: None, timeout_s=TIMEOUT_S, poll_s=0.5)


def schedule_now(api: AirflowApi, dag_id: str) -> None:
    """A scheduled run without waiting for its time; Airflow refuses it while another writes into its SQLite."""
    body = {"dag_id": dag_id, "from_date": NEW_YEAR, "to_date": NEW_YEAR, "max_active_runs": 1}

    def is_made() -> bool:
        try:
            api.request("POST", "/backfills", json=body)
        except AirflowUnavailableError as error:
            assert "Database is locked" in str(error)
            return False
        return True

    eventually(is_made, f"a scheduled run of {dag_id}")


def eventually(condition: Callable[[], T], what: str) -> T:
    """The first true value of ``condition``."""
    deadline = time.monotonic() + TIMEOUT_S
    while not (value := condition()):
        assert time.monotonic() < deadline, f"still waiting for {what}"
        time.sleep(0.3)
    return value
