"""Predictions on the real Redis, MLflow and Kafka."""

import math
import re

import orjson
import pytest

from tests.cases.waiting import eventually
from tests.integration.model_serving.conftest import Backends, ModelServer
from tests.integration.model_serving.prediction_topic import messages
from tests.integration.model_serving.registered import COLD_START_SCORE, SCORED
from tests.integration.model_serving.rows import COMMIT, KNOWN, amount, feature_values
from tidemill.contracts import checker
from use_cases.churn.features import SERVICE


def by_hand(customer_id: str) -> float:
    return 1 / (1 + math.exp(-0.01 * amount(customer_id)))


def test_known_customers_are_scored_in_the_order_asked_also_twice(server: ModelServer) -> None:
    ids = ["known-7", "known-3", "known-7", "known-11"]

    answer = server.predict(*ids).json()

    assert [prediction["customer_id"] for prediction in answer["predictions"]] == ids
    expected = [by_hand(one) for one in ids]
    assert [prediction["score"] for prediction in answer["predictions"]] == pytest.approx(expected)
    assert {prediction["decision"] for prediction in answer["predictions"]} == {"leaves"}
    assert {prediction["features_as_of"] for prediction in answer["predictions"]} == {"2026-01-04T00:00:00+00:00"}
    assert [prediction["degraded"] for prediction in answer["predictions"]] == [[], [], [], []]


def test_an_unknown_customer_gets_the_cold_start_score_and_is_told_so(server: ModelServer) -> None:
    document = server.predict("nobody", KNOWN[0]).json()
    answer = document["predictions"]

    assert answer[0] == {
        "customer_id": "nobody",
        "score": COLD_START_SCORE,
        "decision": None,
        "features_as_of": None,
        "degraded": ["cold_start"],
        "arm": "champion",
        "version": document["model"]["version"],
    }
    assert answer[1]["degraded"] == []


def test_undefined_features_are_the_models_to_fill(server: ModelServer) -> None:
    assert server.predict("known-3").json()["predictions"][0]["score"] == pytest.approx(by_hand("known-3"))


def test_every_prediction_is_logged_once_valid_under_its_contract_keyed_by_its_customer(
    server: ModelServer, backends: Backends
) -> None:
    ids = [*KNOWN[:30], "nobody", KNOWN[0]]
    answer = server.predict(*ids, headers={"x-request-id": "logged-once"}).json()
    eventually(lambda: server.metric("tidemill_serving_prediction_log_waiting") == 0, "an empty log")

    all_messages = messages(backends.settings)
    mine = [(key, orjson.loads(value)) for key, value in all_messages if b"logged-once" in value]

    assert len(mine) == len(ids)
    assert {checker("serving.prediction.v1").check_bytes(value) for _, value in all_messages} == {None}
    assert all(key.decode() == event["data"]["entity_id"] for key, event in mine)
    by_id = {event["id"]: event["data"] for _, event in mine}
    assert len(by_id) == len(ids)
    assert sorted((data["entity_id"], data["score"]) for data in by_id.values()) == sorted(
        (prediction["customer_id"], prediction["score"]) for prediction in answer["predictions"]
    )
    known_3 = next(data for data in by_id.values() if data["entity_id"] == "known-3")
    features = known_3["features"]
    assert features.pop("purchases__time_since_last_all") is None
    assert features == feature_values("known-3")
    assert known_3["applied"] == {"purchases": COMMIT, "returns": COMMIT}
    assert (known_3["feature_service"], known_3["feature_fingerprint"]) == ("churn", SERVICE.fingerprint)
    assert known_3["entities"] == {"customer_id": "known-3"}
    answering = answer["model"]
    assert known_3["model_version"] == answering["version"]
    assert (known_3["model_run_id"], known_3["model_id"]) == (answering["run_id"], answering["model_id"])


def test_reasons_are_of_the_model_and_the_features_that_answered(server: ModelServer) -> None:
    answer = server.client.post("/explain/churn", json={"instance": {"customer_id": "known-9"}, "top": 1}).json()
    nobody = server.client.post("/explain/churn", json={"instance": {"customer_id": "nobody"}}).json()

    assert answer["prediction"]["score"] == pytest.approx(by_hand("known-9"))
    (reason,) = answer["reasons"]
    assert (reason["feature"], reason["value"]) == (SCORED, amount("known-9"))
    assert reason["contribution"] == pytest.approx(0.01 * amount("known-9"))
    assert (answer["space"], answer["explained"], answer["base"], answer["rest"]) == ("log_odds", "leaves", 0.0, 0.0)
    assert (nobody["prediction"]["degraded"], nobody["reasons"]) == (["cold_start"], [])


def test_the_largest_batch_is_answered_and_one_more_is_refused(server: ModelServer) -> None:
    limit = server.settings.serving.max_instances
    ids = [KNOWN[n % len(KNOWN)] for n in range(limit)]

    answer = server.predict(*ids).json()

    assert [prediction["customer_id"] for prediction in answer["predictions"]] == ids
    assert server.predict(*ids, "one-more").status_code == 422


def test_model_info_describes_the_champion_that_answers(server: ModelServer) -> None:
    info = server.client.get("/model-info/churn").json()

    answering = server.predict(KNOWN[0]).json()["model"]
    assert {key: info[key] for key in answering} == answering
    assert info["features"] == list(SERVICE.names)
    assert (info["threshold"], info["decisions"]) == (0.5, ["stays", "leaves"])
    assert (info["cold_start_score"], info["cold_start_decision"]) == (0.375, None)


def test_the_api_page_loads_nothing_from_elsewhere(server: ModelServer) -> None:
    page = server.client.get("/docs").text

    addresses = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(addresses) >= 3
    assert [address for address in addresses if not address.startswith("/")] == []
    assert [server.client.get(address).status_code for address in addresses] == [200] * len(addresses)


def test_metrics_tell_stages_model_and_degraded_answers(server: ModelServer) -> None:
    cold = 'tidemill_serving_degraded_total{reason="cold_start",use_case="churn"}'
    before = server.metric(cold)
    version = server.predict("nobody", "no one", KNOWN[0]).json()["model"]["version"]

    assert server.metric(cold) - before == 2
    assert server.metric('tidemill_serving_stage_seconds_count{stage="features"}') > 0
    assert server.metric('tidemill_serving_stage_seconds_count{stage="score"}') > 0
    model = f'tidemill_serving_model{{alias="champion",name="churn",use_case="churn",version="{version}"}}'
    assert server.metric(model) == 1
