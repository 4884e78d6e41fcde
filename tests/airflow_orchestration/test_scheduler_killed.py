"""The scheduler is killed while a stage of a request runs: the run goes on, and no stage is left out."""

import json
from typing import Any

import pytest

from tests.airflow_orchestration.platform_double import PlatformDouble
from tests.airflow_orchestration.rest import TIMEOUT_S, eventually
from tests.airflow_orchestration.services import Services
from tidemill.airflow_client import AirflowClient

pytestmark = pytest.mark.loop
STAGES = ("claim", "train", "evaluate", "gate", "promote")
GATED = {"passed": True, "reasons": []}
DOCUMENTS: dict[str, dict[str, Any]] = {
    "waiting": {"request_id": "4a1b"},
    "claim": {"request_id": "4a1b", "token": 7},
    "train": {"state": "trained"},
    "evaluate": {"state": "trained"},
    "gate": {"state": "gated", "gated": GATED},
    "promote": {"state": "canary"},
}
HOW = {"alone": False, "with all that it started": True}
IN_CI = {("train", "with all that it started")}
CASES = [
    pytest.param(stage, how, id=f"{stage}, {how}", marks=() if (stage, how) in IN_CI else pytest.mark.matrix)
    for stage in STAGES
    for how in HOW
]


@pytest.mark.parametrize(("stage", "how"), CASES)
def test_a_run_goes_on_when_its_scheduler_is_killed_in_the_midst_of_a_stage(
    platform: PlatformDouble, client: AirflowClient, services: Services, stage: str, how: str
) -> None:
    answers: dict[str, list[dict[str, Any]]] = {
        f"retrain {name} churn": [{"stdout": [json.dumps(document)]}] for name, document in DOCUMENTS.items()
    }
    (answer,) = answers[f"retrain {stage} churn"]
    answers[f"retrain {stage} churn"] = [answer | {"sleep_s": 20}, answer]
    platform.answer(answers)
    client.wait_for_dag("retrain_churn")
    client.unpause("retrain_churn")
    run_id = client.trigger("retrain_churn")
    eventually(platform.pids, f"the {stage}")
    services.kill("scheduler", with_children=HOW[how])
    services.start("scheduler")
    ended = client.wait("retrain_churn", run_id, progress=lambda run: None, timeout_s=2 * TIMEOUT_S, poll_s=0.5)
    ended.raise_for_failure()
    lines = platform.command_lines()
    told = ["retrain waiting", "quality run", *(f"retrain {name}" for name in STAGES)]
    assert [" ".join(line.split()[:2]) for line in dict.fromkeys(lines)] == told
    for name in STAGES:
        times = sum(line.startswith(f"retrain {name} ") for line in lines)
        assert times == 1 or (times == 2 and name == stage), f"{name} was done {times} times"
