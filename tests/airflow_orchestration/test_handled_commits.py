"""The record of handled commits, against real Delta tables; Airflow's variables are a dictionary here."""

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG

from airflow_orchestration.plugins.hooks import handled_commits
from airflow_orchestration.plugins.operators.record_handled import RecordHandledOperator
from tests.airflow_orchestration.delta_tables import commit, table_id
from tests.airflow_orchestration.test_delta_commit_sensor import START, commit_of

TABLE, OTHER = "silver/transactions", "silver/clicks"
VARIABLE = "handled_commits.recorder"


class Variables(dict[str, Any]):
    """Stands in for Airflow's variables, which a task reads over the API server."""

    def set(self, name: str, value: Any, **_: Any) -> None:
        self[name] = value

    def get(self, name: str, default: Any, **_: Any) -> Any:  # type: ignore[override]
        return super().get(name, default)


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> Variables:
    made = Variables()
    monkeypatch.setattr(handled_commits, "Variable", made)
    return made


def record(seen: dict[str, Any]) -> None:
    """What the task does in a run whose sensor saw these commits."""
    with DAG("recorder", schedule=None, start_date=START):
        operator = RecordHandledOperator(task_id="record_handled", sensor="sense")
    operator.execute({"ti": SimpleNamespace(xcom_pull=lambda task_ids: seen)})


def test_the_cleared_task_of_an_older_run_does_not_set_the_record_back(lake: Path, variables: Variables) -> None:
    for _ in range(4):
        commit(lake, TABLE)
    record(commit_of(lake, TABLE, 1))
    record(commit_of(lake, TABLE, 3))
    record(commit_of(lake, TABLE, 1))
    assert variables[VARIABLE] == commit_of(lake, TABLE, 3)


def test_a_table_that_was_not_looked_at_keeps_its_record(lake: Path, variables: Variables) -> None:
    for name in (TABLE, OTHER):
        commit(lake, name)
    record(commit_of(lake, TABLE, 0))
    record(commit_of(lake, OTHER, 0))
    assert variables[VARIABLE] == commit_of(lake, TABLE, 0) | commit_of(lake, OTHER, 0)


def test_a_table_made_anew_is_recorded_though_its_version_is_lower_and_the_old_one_no_more(
    lake: Path, variables: Variables
) -> None:
    commit(lake, TABLE)
    commit(lake, TABLE)
    of_old = commit_of(lake, TABLE, 1)
    record(of_old)
    shutil.rmtree(lake / TABLE)
    commit(lake, TABLE)
    assert of_old[TABLE]["table_id"] != table_id(lake, TABLE)
    record(commit_of(lake, TABLE, 0))
    assert variables[VARIABLE] == commit_of(lake, TABLE, 0)
    record(of_old)
    assert variables[VARIABLE] == commit_of(lake, TABLE, 0)


def test_a_table_that_is_gone_keeps_its_record(lake: Path, variables: Variables) -> None:
    commit(lake, TABLE)
    seen = commit_of(lake, TABLE, 0)
    record(seen)
    shutil.rmtree(lake / TABLE)
    record({TABLE: {"table_id": "another", "version": 7}})
    assert variables[VARIABLE] == seen
