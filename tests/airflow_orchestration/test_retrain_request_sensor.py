"""The sensor and its trigger over the stand-in for the platform's command; whole runs are in ``test_runs``."""

import asyncio
import json
import time
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    TaskDeferred,
)

from airflow_orchestration.plugins.sensors import retrain_request as sensor_module
from airflow_orchestration.plugins.sensors.retrain_request import RetrainRequestSensor
from airflow_orchestration.plugins.triggers import retrain_request as trigger_module
from airflow_orchestration.plugins.triggers.retrain_request import RetrainRequestTrigger
from tests.airflow_orchestration.platform_double import PlatformDouble
from tidemill.config.settings import Settings

START = datetime(2026, 1, 1, tzinfo=UTC)
NONE = {"stdout": ['{"request_id": null}']}
ONE = {"stdout": ['{"request_id": "4a1b", "state": "requested"}']}
AWAY = {"exit": 75, "stderr": ["tidemill: the control store does not answer"]}


@pytest.fixture(autouse=True)
def _settings(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (sensor_module, trigger_module):
        monkeypatch.setattr(module, "load_settings", lambda: settings)


def answer(platform: PlatformDouble, *answers: dict[str, Any]) -> None:
    platform.answer({"retrain waiting churn": list(answers)})


def look(*, run_type: str = "scheduled", **arguments: Any) -> Any:
    with DAG("watcher", schedule=None, start_date=START):
        sensor = RetrainRequestSensor(task_id="sense", use_case="churn", **arguments)
    return sensor.execute({"dag_run": SimpleNamespace(run_type=run_type)})


def test_a_request_that_waits_is_found_by_one_command(platform: PlatformDouble) -> None:
    answer(platform, ONE)
    assert look() == "4a1b"
    assert platform.command_lines() == ["retrain waiting churn --json"]


def test_without_one_the_run_is_skipped_or_failed_in_the_end(platform: PlatformDouble) -> None:
    answer(platform, NONE)
    with pytest.raises(AirflowSkipException, match="no open request of churn"):
        look(timeout=0)
    with pytest.raises(AirflowSensorTimeout):
        look(timeout=0, soft_fail=False)


def test_a_run_by_hand_does_not_wait_and_says_how_to_ask(platform: PlatformDouble) -> None:
    answer(platform, NONE)
    with pytest.raises(AirflowSkipException, match="tidemill retrain request churn --reason"):
        look(run_type="manual", timeout=60)


def test_waiting_needs_no_worker_and_the_trigger_survives_its_serialisation(platform: PlatformDouble) -> None:
    answer(platform, NONE)
    with pytest.raises(TaskDeferred) as deferred:
        look(timeout=60)
    path, arguments = deferred.value.trigger.serialize()
    assert path == f"{RetrainRequestTrigger.__module__}.RetrainRequestTrigger"
    assert RetrainRequestTrigger(**json.loads(json.dumps(arguments))).serialize() == (path, arguments)


def test_a_store_that_is_away_is_asked_again_by_airflow_and_one_that_refuses_is_not(platform: PlatformDouble) -> None:
    answer(platform, AWAY)
    with pytest.raises(AirflowException, match="may work when tried again: tidemill: the control store") as away:
        look()
    assert not isinstance(away.value, AirflowFailException)
    answer(platform, {"exit": 1, "stderr": ["tidemill: no use case churn"]})
    with pytest.raises(AirflowFailException, match="no use case churn"):
        look()


def fired(deadline: float) -> Any:
    async def first() -> Any:
        return await anext(RetrainRequestTrigger("churn", poke_interval=0.1, deadline=deadline).run())

    return asyncio.run(first()).payload


def test_the_trigger_fires_when_a_request_waits_also_after_the_store_was_away(platform: PlatformDouble) -> None:
    answer(platform, NONE, AWAY, {"stdout": ["no JSON"]}, ONE)
    assert fired(time.time() + 120) == {"request_id": "4a1b"}
    assert len(platform.calls()) == 4


def test_the_trigger_gives_up_at_its_deadline(platform: PlatformDouble) -> None:
    answer(platform, NONE)
    assert fired(time.time() + 0.3) == {"request_id": None}
