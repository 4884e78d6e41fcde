"""Start, stop and several workers, as the operating system sees them."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest

from tests.cases.waiting import eventually
from tests.integration.model_serving.conftest import Backends, ModelServer, answers
from tests.integration.model_serving.prediction_topic import messages
from tests.integration.model_serving.rows import KNOWN
from tidemill.config import Settings
from tidemill.config.environment import settings_environment
from tidemill.stack.service import NotReadyError
from tidemill.stack.services import model_server


def moved(settings: Settings, **serving: object) -> Settings:
    return settings.model_copy(update={"serving": settings.serving.model_copy(update=serving)})


def test_sigterm_finishes_the_request_in_flight_and_sends_what_was_logged(backends: Backends, second_url: str) -> None:
    log = backends.settings.home / "stopped.log"
    server = ModelServer(moved(backends.settings, url=second_url, feature_timeout_s=6.0), log)
    found: list[httpx.Response] = []
    try:
        eventually(lambda: answers(server, "/readyz"), "a ready server")
        with backends.frozen("redis"):
            request = threading.Thread(
                target=lambda: found.append(
                    httpx.post(
                        f"{second_url}/predict/churn",
                        json={"instances": [{"customer_id": KNOWN[0]}]},
                        headers={"x-request-id": "in-flight"},
                        timeout=60,
                    )
                )
            )
            request.start()
            # The question itself is in flight too.
            eventually(lambda: server.metric("tidemill_serving_requests_in_flight") == 2, "a request in flight")
            server.process.terminate()
            request.join(60)
    finally:
        server.stop()

    assert [response.status_code for response in found] == [200]
    assert found[0].json()["predictions"][0]["degraded"] == ["feature_store_unavailable"]
    assert len([value for _, value in messages(backends.settings) if b"in-flight" in value]) == 1
    lines = [json.loads(line) for line in log.read_bytes().splitlines()]
    assert any(line.get("request_id") == "in-flight" and line.get("status") == 200 for line in lines)


def test_a_server_that_is_up_has_its_champion(backends: Backends, second_url: str) -> None:
    settings = moved(backends.settings, url=second_url)
    server = ModelServer(settings, settings.home / "up.log")
    said: list[str] = []

    def is_up() -> bool:
        try:
            model_server.probe(settings, 0.0)
        except NotReadyError as error:
            said.append(str(error))
            return False
        return True

    try:
        eventually(is_up, "a server that is up")
        assert server.predict(KNOWN[0]).status_code == 200
        assert "model/churn: looking for the champion" in said
    finally:
        server.stop()


def test_workers_share_the_port_and_sum_their_metrics(backends: Backends, second_url: str) -> None:
    server = ModelServer(moved(backends.settings, url=second_url, workers=2), backends.settings.home / "workers.log")
    try:
        eventually(lambda: answers(server), "a server")
        loaded = 'tidemill_serving_model_reloads_total{outcome="loaded",use_case="churn"}'
        eventually(lambda: server.metric(loaded) == 2, "a model in both workers")
        body = {"instances": [{"customer_id": KNOWN[0]}]}
        # Each with a connection of its own: a kept one stays with one worker.
        answered = [httpx.post(f"{second_url}/predict/churn", json=body, timeout=30).status_code for _ in range(20)]
        assert answered == [200] * 20
        assert server.metric('tidemill_serving_predictions_total{use_case="churn"}') == 20
    finally:
        server.stop()


def test_a_request_is_one_line_in_the_log_and_a_health_check_that_succeeds_none(server: ModelServer) -> None:
    server.predict(KNOWN[0], headers={"x-request-id": "logged-by-one-line"})
    for method in ("GET", "HEAD"):
        assert server.client.request(method, "/healthz", headers={"x-request-id": "a-health-check"}).status_code == 200

    # A path holds what the caller likes, also what is a line's end to text and not to JSON.
    server.client.get("/model-info/a%C2%85b%E2%80%A8c", headers={"x-request-id": "the-end-of-a-line"})
    eventually(lambda: b"the-end-of-a-line" in server.log.read_bytes(), "a line of the last request")
    lines = [json.loads(line) for line in server.log.read_bytes().splitlines()]
    assert [line["path"] for line in lines if line.get("request_id") == "the-end-of-a-line"] == [
        "/model-info/a\u0085b\u2028c"
    ]
    mine = [line for line in lines if line.get("request_id") == "logged-by-one-line"]
    assert [(line["method"], line["path"], line["status"]) for line in mine] == [("POST", "/predict/churn", 200)]
    assert not [line for line in lines if line.get("request_id") == "a-health-check"]


@pytest.mark.parametrize(
    ("variable", "value", "complaint"),
    [
        ("TIDEMILL_SERVING__USE_CASES", '["chrun"]', "names 'chrun', which has no folder"),
        ("TIDEMILL_SERVING__URL", "https://127.0.0.1:8000", "must be http://HOST:PORT"),
        ("TIDEMILL_SERVING__URL", "http://127.0.0.1", "must be http://HOST:PORT"),
        ("TIDEMILL_SERVING__WORKERS", "none", "serving.workers = 'none'"),
    ],
)
def test_a_wrong_setting_stops_the_start_with_one_sentence(
    settings: Settings, variable: str, value: str, complaint: str, tmp_path: Path
) -> None:
    environment = os.environ | settings_environment(settings) | {"TIDEMILL_HOME": str(tmp_path), variable: value}

    started = subprocess.run(
        [sys.executable, "-m", "model_serving"], env=environment, capture_output=True, text=True, check=False
    )

    assert started.returncode == 1
    assert complaint in started.stderr
    assert "Traceback" not in started.stderr
