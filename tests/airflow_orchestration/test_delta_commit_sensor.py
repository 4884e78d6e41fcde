"""The sensor and its trigger against real Delta tables; what is recorded when is in ``test_runs``."""

import asyncio
import json
import shutil
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException, AirflowSensorTimeout, AirflowSkipException, TaskDeferred

from airflow_orchestration.plugins.sensors.delta_commit import DeltaCommitSensor
from airflow_orchestration.plugins.triggers.delta_commit import DeltaCommitTrigger
from tests.airflow_orchestration.delta_tables import commit, table_id

TABLE = "silver/transactions"
OTHER = "silver/clicks"
START = datetime(2026, 1, 1, tzinfo=UTC)


def look(
    monkeypatch: pytest.MonkeyPatch, handled: dict[str, Any], *, run_type: str = "scheduled", **arguments: Any
) -> Any:
    """What the sensor does in a run of ``run_type`` of a DAG that has ``handled`` these commits."""
    monkeypatch.setenv("AIRFLOW_VAR_HANDLED_COMMITS.WATCHER", json.dumps(handled))
    with DAG("watcher", schedule=None, start_date=START):
        sensor = DeltaCommitSensor(task_id="sense", tables=[TABLE, OTHER], **arguments)
    return sensor.execute({"dag_run": SimpleNamespace(run_type=run_type)})


def commit_of(lake: Path, name: str, version: int) -> dict[str, Any]:
    return {name: {"table_id": table_id(lake, name), "version": version}}


def test_a_table_never_handled_is_new(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(lake, TABLE)
    assert look(monkeypatch, {}) == commit_of(lake, TABLE, 0)


def test_a_commit_past_the_handled_one_is_new(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(lake, TABLE)
    handled = commit_of(lake, TABLE, 0)
    commit(lake, TABLE)
    assert look(monkeypatch, handled) == commit_of(lake, TABLE, 1)


def test_a_commit_of_either_table_is_new(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(lake, TABLE)
    handled = commit_of(lake, TABLE, 0)
    commit(lake, OTHER)
    assert look(monkeypatch, handled) == handled | commit_of(lake, OTHER, 0)


def test_a_table_made_anew_is_new_though_its_version_is_lower(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(lake, TABLE)
    commit(lake, TABLE)
    handled = commit_of(lake, TABLE, 1)
    shutil.rmtree(lake / TABLE)
    commit(lake, TABLE)
    assert look(monkeypatch, handled) == commit_of(lake, TABLE, 0)


def test_a_scheduled_run_without_a_new_commit_is_skipped_or_failed(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(lake, TABLE)
    handled = commit_of(lake, TABLE, 0)
    with pytest.raises(AirflowSkipException, match=r"no commit in .* after silver/transactions version 0"):
        look(monkeypatch, handled, timeout=0)
    with pytest.raises(AirflowSensorTimeout):
        look(monkeypatch, handled, timeout=0, soft_fail=False)


def test_a_table_that_is_not_there_yet_is_waited_for(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TaskDeferred):
        look(monkeypatch, {}, timeout=60)


def test_waiting_needs_no_worker_and_the_trigger_survives_its_serialisation(
    lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(lake, TABLE)
    with pytest.raises(TaskDeferred) as deferred:
        look(monkeypatch, commit_of(lake, TABLE, 0), timeout=60)
    path, arguments = deferred.value.trigger.serialize()
    assert path == f"{DeltaCommitTrigger.__module__}.DeltaCommitTrigger"
    assert DeltaCommitTrigger(**json.loads(json.dumps(arguments))).serialize() == (path, arguments)


def test_a_run_started_by_hand_goes_on_with_what_is_there(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AirflowFailException, match="has the stream run"):
        look(monkeypatch, {}, run_type="manual", timeout=60)
    commit(lake, TABLE)
    handled = commit_of(lake, TABLE, 0)
    assert look(monkeypatch, handled, run_type="manual", timeout=60) == handled


def fired(trigger: DeltaCommitTrigger) -> Any:
    async def first() -> Any:
        return await anext(trigger.run())

    return asyncio.run(first()).payload


def test_the_trigger_fires_when_the_commit_arrives(lake: Path) -> None:
    commit(lake, TABLE)
    trigger = DeltaCommitTrigger([TABLE], commit_of(lake, TABLE, 0), poke_interval=0.1, deadline=time.time() + 60)
    later = threading.Timer(0.5, commit, (lake, TABLE))
    later.start()
    assert fired(trigger) == {"commits": commit_of(lake, TABLE, 1)}
    later.join()


def test_the_trigger_gives_up_at_its_deadline(lake: Path) -> None:
    commit(lake, TABLE)
    trigger = DeltaCommitTrigger([TABLE], commit_of(lake, TABLE, 0), poke_interval=0.1, deadline=time.time() + 0.3)
    assert fired(trigger) == {"commits": None}
