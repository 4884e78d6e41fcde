"""What answers look like while something is away, and that they are whole again when it is back."""

from collections.abc import Iterator

import httpx
import pytest

from tests.cases.waiting import eventually
from tests.integration.model_serving.conftest import Backends, ModelServer, answers
from tests.integration.model_serving.prediction_topic import messages
from tests.integration.model_serving.registered import COLD_START_SCORE
from tests.integration.model_serving.rows import KNOWN


@pytest.fixture(autouse=True)
def healthy(server: ModelServer) -> Iterator[None]:
    eventually(lambda: server.degraded(KNOWN[1]) == [], "a healthy answer before the outage")
    yield
    eventually(lambda: server.degraded(KNOWN[1]) == [], "a healthy answer after the outage")


@pytest.mark.parametrize("how", ["stopped", "frozen"])
def test_without_redis_every_request_gets_the_marked_cold_start_score(
    server: ModelServer, backends: Backends, how: str
) -> None:
    outage = backends.without("redis") if how == "stopped" else backends.frozen("redis")
    with outage:
        responses = [server.predict(*KNOWN[:3]) for _ in range(30)]
        eventually(lambda: server.dependency("feature_store") == "unavailable", "readyz that tells")
        ready = server.client.get("/readyz")

    assert [response.status_code for response in responses] == [200] * 30
    given = [prediction for response in responses for prediction in response.json()["predictions"]]
    assert {prediction["score"] for prediction in given} == {COLD_START_SCORE}
    assert {tuple(prediction["degraded"]) for prediction in given} == {("feature_store_unavailable",)}
    assert {prediction["features_as_of"] for prediction in given} == {None}
    assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
    eventually(lambda: server.dependency("feature_store") == "ok", "readyz that tells it is back")


def test_an_open_breaker_spares_requests_the_wait(server: ModelServer, backends: Backends) -> None:
    def reads() -> float:
        return server.metric('tidemill_serving_stage_seconds_sum{stage="features"}')

    with backends.frozen("redis"):
        eventually(lambda: server.dependency("feature_store") == "unavailable", "an open breaker")
        before = reads()
        for _ in range(100):
            server.predict(KNOWN[0])
        waited = reads() - before

    # This bounds how many requests asked Redis, not a speed.
    assert waited < 10 * server.settings.serving.feature_timeout_s


def test_without_mlflow_the_loaded_champion_answers_and_says_that_a_newer_one_may_exist(
    server: ModelServer, backends: Backends
) -> None:
    with backends.without("mlflow"):
        eventually(lambda: server.dependency("registry") == "unavailable", "readyz that tells")
        response = server.predict(KNOWN[4])
        ready = server.client.get("/readyz")

    prediction = response.json()["predictions"][0]
    assert prediction["degraded"] == ["registry_unavailable"]
    assert prediction["score"] != COLD_START_SCORE
    assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
    eventually(lambda: server.dependency("registry") == "ok", "readyz that tells it is back")


def test_a_server_started_without_mlflow_uses_the_champion_on_disk_until_it_is_back(
    server: ModelServer, backends: Backends, second_url: str
) -> None:
    expected = server.predict(KNOWN[4]).json()
    settings = backends.settings.model_copy(
        update={"serving": backends.settings.serving.model_copy(update={"url": second_url})}
    )
    restarted = ModelServer(settings, backends.settings.home / "restarted.log")
    try:
        with backends.without("mlflow"):
            eventually(lambda: answers(restarted, "/readyz"), "a model from disk")
            found = restarted.predict(KNOWN[4]).json()
            info = restarted.client.get("/model-info/churn").json()
        eventually(lambda: restarted.degraded(KNOWN[4]) == [], "a registry that confirms the model")
    finally:
        restarted.stop()

    assert found["model"] == expected["model"]
    assert found["predictions"][0]["score"] == expected["predictions"][0]["score"]
    assert found["predictions"][0]["degraded"] == ["registry_unavailable", "cached_model"]
    assert info["is_cached"] is True


def test_without_kafka_answers_are_whole_and_what_was_logged_arrives_later(
    server: ModelServer, backends: Backends
) -> None:
    eventually(lambda: server.metric("tidemill_serving_prediction_log_waiting") == 0, "an empty log")
    before = len(messages(backends.settings))
    with backends.without("kafka"):
        responses = [server.predict(*KNOWN[:5]) for _ in range(20)]
        eventually(lambda: server.dependency("prediction_log") == "unavailable", "readyz that tells")
        waiting = server.metric("tidemill_serving_prediction_log_waiting")
    eventually(lambda: server.metric("tidemill_serving_prediction_log_waiting") == 0, "an empty log after the outage")

    assert {tuple(p["degraded"]) for response in responses for p in response.json()["predictions"]} == {()}
    assert waiting == 100
    assert len(messages(backends.settings)) - before == 100


def test_a_full_log_drops_and_counts_and_the_answers_go_on(
    backends: Backends, second_url: str, server: ModelServer
) -> None:
    update = {"url": second_url, "prediction_queue": 7}
    serving = backends.settings.serving.model_copy(update=update)
    small = ModelServer(
        backends.settings.model_copy(update={"serving": serving}), backends.settings.home / "small-log.log"
    )
    try:
        eventually(lambda: answers(small, "/readyz"), "a ready server")
        with backends.frozen("kafka"):
            statuses = [small.predict(*KNOWN[:3]).status_code for _ in range(5)]
            waiting = small.metric("tidemill_serving_prediction_log_waiting")
            dropped = small.metric('tidemill_serving_prediction_log_total{outcome="dropped_full"}')
    finally:
        small.stop()

    assert statuses == [httpx.codes.OK] * 5
    assert (waiting, dropped) == (6, 9)
