"""The DAGs that ask for a new model and work the request off, run by the real scheduler and started over REST."""

import json
from typing import Any

import pytest

from tests.airflow_orchestration.platform_double import NOT_AS_EXPECTED, PlatformDouble
from tests.airflow_orchestration.rest import eventually, next_run, run, run_ids, schedule_now
from tidemill.airflow_api import AirflowApi, AirflowRefusedError
from tidemill.airflow_client import AirflowClient

REQUEST = {"request_id": "4a1b", "token": 2}
STAGE = "--request 4a1b --token 2 --json"


def answers(passed: bool, reasons: list[str]) -> dict[str, list[dict[str, Any]]]:
    """Those of a request that waits, whose model passes the gates or not."""
    trained = REQUEST | {"run_id": "1e5", "experiment_id": "7"}
    gated = trained | {"gated": {"passed": passed, "reasons": reasons}}
    printed = {
        "waiting": {"request_id": "4a1b"},
        "claim": REQUEST,
        "train": trained,
        "evaluate": trained,
        "gate": gated,
        "promote": gated | {"state": "promoted"},
    }
    return {f"retrain {name}": [{"stdout": [json.dumps(document)]}] for name, document in printed.items()}


def test_a_request_is_worked_off_stage_by_stage_by_its_token(platform: PlatformDouble, client: AirflowClient) -> None:
    platform.answer(answers(passed=True, reasons=[]))
    ended = run(client, "retrain_churn")
    ended.raise_for_failure()
    assert platform.command_lines() == [
        "retrain waiting churn --json",
        "quality run --use-case churn",
        f"retrain claim churn --holder retrain_churn {ended.run_id} --json",
        *(f"retrain {stage} churn {STAGE}" for stage in ("train", "evaluate", "gate", "promote")),
    ]
    assert client.returned(ended, "promote")["state"] == "promoted"
    assert ended.tasks["keep_champion"] == "skipped"


def test_data_that_is_not_as_expected_leaves_the_request_unclaimed(
    platform: PlatformDouble, client: AirflowClient
) -> None:
    platform.answer(answers(passed=True, reasons=[]) | {"quality run": [NOT_AS_EXPECTED]})
    ended = run(client, "retrain_churn")
    assert (ended.state, ended.tasks["check_data"], ended.tasks["claim"]) == ("failed", "failed", "upstream_failed")
    assert platform.command_lines() == ["retrain waiting churn --json", "quality run --use-case churn"]


def test_a_model_that_fails_a_gate_leaves_the_champion_and_the_run_says_why(
    platform: PlatformDouble, client: AirflowClient
) -> None:
    reasons = ["roc_auc 0.61 is below 0.65", "not better than the recency rule"]
    platform.answer(answers(passed=False, reasons=reasons))
    ended = run(client, "retrain_churn")
    assert ended.state == "success"
    assert ended.tasks["promote"] == "skipped"
    assert client.returned(ended, "keep_champion") == reasons
    assert [line.split()[1] for line in platform.command_lines()][-1] == "gate"


def test_a_run_by_hand_without_a_request_is_skipped_and_claims_nothing(
    platform: PlatformDouble, client: AirflowClient
) -> None:
    platform.answer({"retrain waiting": [{"stdout": ['{"request_id": null}']}]})
    ended = run(client, "retrain_churn")
    assert ended.state == "success"
    assert set(ended.tasks.values()) == {"skipped"}
    assert platform.command_lines() == ["retrain waiting churn --json"]


def test_a_run_that_another_was_faster_than_is_skipped(platform: PlatformDouble, client: AirflowClient) -> None:
    platform.answer(answers(passed=True, reasons=[]) | {"retrain claim": [{"stdout": ['{"request_id": null}']}]})
    ended = run(client, "retrain_churn")
    assert (ended.state, ended.tasks["claim"], ended.tasks["train"]) == ("success", "skipped", "skipped")
    assert [line.split()[1] for line in platform.command_lines()] == ["waiting", "run", "claim"]


def test_a_stage_that_was_overtaken_fails_the_run_at_once(platform: PlatformDouble, client: AirflowClient) -> None:
    lost = {"exit": 1, "stderr": ["tidemill: the lease with token 2 is lost"]}
    platform.answer(answers(passed=True, reasons=[]) | {"retrain evaluate": [lost]})
    ended = run(client, "retrain_churn")
    assert (ended.state, ended.tasks["evaluate"], ended.tasks["promote"]) == ("failed", "failed", "upstream_failed")
    assert [line.split()[1] for line in platform.command_lines()].count("evaluate") == 1


def test_a_scheduled_run_waits_for_a_request_in_the_triggerer_and_takes_it(
    platform: PlatformDouble, client: AirflowClient, api: AirflowApi
) -> None:
    none = {"stdout": ['{"request_id": null}']}
    platform.answer(answers(passed=True, reasons=[]) | {"retrain waiting": [none]})
    client.wait_for_dag("retrain_fraud")
    client.unpause("retrain_fraud")
    before = run_ids(api, "retrain_fraud")
    schedule_now(api, "retrain_fraud")
    (run_id,) = eventually(lambda: run_ids(api, "retrain_fraud") - before, "the backfill's run")
    eventually(lambda: client.look("retrain_fraud", run_id).tasks["open_request"] == "deferred", "the deferral")
    platform.answer(answers(passed=True, reasons=[]))
    ended = next_run(api, client, "retrain_fraud", before)
    ended.raise_for_failure()
    assert client.returned(ended, "open_request") == "4a1b"
    assert ended.tasks["promote"] == "success"


def test_a_run_by_hand_asks_as_a_person_for_the_reason_it_was_given(
    platform: PlatformDouble, client: AirflowClient
) -> None:
    run(client, "request_churn", {"reason": "prices changed"}).raise_for_failure()
    (line,) = platform.command_lines()
    assert line == "retrain request churn --by request_churn --json --source person --reason prices changed"


def test_a_scheduled_run_asks_as_the_schedule(platform: PlatformDouble, client: AirflowClient, api: AirflowApi) -> None:
    client.wait_for_dag("request_churn")
    client.unpause("request_churn")
    before = run_ids(api, "request_churn")
    schedule_now(api, "request_churn")
    next_run(api, client, "request_churn", before).raise_for_failure()
    (line,) = platform.command_lines()
    asked = "retrain request churn --by request_churn --json --source schedule --reason its schedule: 0 0 1 1 *"
    assert line == asked


def test_a_conf_out_of_range_is_refused_with_the_reason(client: AirflowClient) -> None:
    with pytest.raises(AirflowRefusedError, match="reason: '' should be non-empty"):
        run(client, "request_churn", {"reason": ""})
