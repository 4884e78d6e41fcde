"""Every error answer, from the application itself; it has no model, for nothing was started."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
from fastapi import FastAPI

from model_serving.app import create_app
from model_serving.loaded import LoadedModel
from model_serving.server import Server
from tidemill.config import ConfigError, load_settings

JSON = {"content-type": "application/json"}
VALID = b'{"instances": [{"customer_id": "1"}]}'
LIMIT = 2_000


@pytest.fixture
def app(tmp_path: Path) -> FastAPI:
    return create_app(
        load_settings(
            {
                "TIDEMILL_HOME": str(tmp_path),
                "TIDEMILL_SERVING__MAX_BODY_BYTES": str(LIMIT),
                "TIDEMILL_SERVING__MAX_INSTANCES": "3",
                "TIDEMILL_SERVING__USE_CASES": '["churn"]',
            }
        )
    )


def ask(app: FastAPI, method: str, path: str, **options: Any) -> httpx.Response:
    async def asked() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.request(method, path, **options)

    return asyncio.run(asked())


def predict(app: FastAPI, body: bytes | AsyncIterator[bytes], use_case: str = "churn") -> httpx.Response:
    return ask(app, "POST", f"/predict/{use_case}", content=body, headers=JSON)


def fields(response: httpx.Response) -> list[str]:
    return [error["field"] for error in response.json()["errors"]]


def check_problem(response: httpx.Response, status: int) -> None:
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == status
    assert problem["request_id"] == response.headers["x-request-id"]
    assert "Traceback" not in response.text


@pytest.mark.parametrize(
    ("body", "field"),
    [
        pytest.param(b"", "", id="empty"),
        pytest.param(b"{", "", id="cut off"),
        pytest.param(b'{"instances": [{"customer_id": NaN}]}', "", id="NaN is not JSON"),
        pytest.param(b'{"instances": [{"customer_id": "\\ud800"}]}', "", id="lone surrogate"),
        pytest.param(b'{"instances": [{"customer_id": "\xff"}]}', "", id="not UTF-8"),
        pytest.param(b"[" * 1_500, "", id="deep nesting"),
        pytest.param(b'{"instances": 1' + b"0" * 1_900 + b"}", "", id="a number no double holds"),
        pytest.param(b'{"instances": [{"customer_id": 1}]}', "/instances/0/customer_id", id="number as id"),
        pytest.param(b'{"instances": [{"customer_id": "1"}], "a/b": 1}', "/a~1b", id="extra field, escaped"),
        pytest.param(b'{"instances": []}', "/instances", id="no instances"),
        pytest.param(
            b'{"instances": [' + b'{"customer_id": "1"},' * 3 + VALID[15:-2] + b"]}", "/instances", id="batch"
        ),
    ],
)
def test_a_malformed_body_is_422_and_names_the_field(app: FastAPI, body: bytes, field: str) -> None:
    response = predict(app, body)

    check_problem(response, 422)
    assert fields(response) == [field]


def test_a_thousand_wrong_fields_are_not_all_repeated(app: FastAPI) -> None:
    extra = b",".join(b'"%d":1' % n for n in range(200))

    response = predict(app, b'{"instances": [], ' + extra + b"}")

    check_problem(response, 422)
    assert len(fields(response)) == 20


def test_an_unknown_use_case_is_404_and_says_which_there_are(app: FastAPI) -> None:
    response = predict(app, VALID, "chrun")

    check_problem(response, 404)
    assert response.json()["detail"] == "no use case 'chrun'; this server has: churn"


@pytest.mark.parametrize("media_type", ["text/plain", "", "application/xml", "application/json-seq"])
def test_a_body_that_is_not_called_json_is_415(app: FastAPI, media_type: str) -> None:
    headers = {"content-type": media_type}

    check_problem(ask(app, "POST", "/predict/churn", content=VALID, headers=headers), 415)


@pytest.mark.parametrize("coding", ["gzip", "br", "identity, gzip"])
def test_a_compressed_body_is_415_and_told_why(app: FastAPI, coding: str) -> None:
    headers = JSON | {"content-encoding": coding}

    response = ask(app, "POST", "/predict/churn", content=gzip.compress(VALID), headers=headers)

    check_problem(response, 415)
    assert response.json()["detail"].startswith(f"Content-Encoding: {coding.rsplit(', ', maxsplit=1)[-1]} is not taken")
    assert response.headers["accept-encoding"] == "identity"


def test_a_body_that_says_it_is_not_compressed_is_taken(app: FastAPI) -> None:
    headers = JSON | {"content-encoding": "Identity"}

    check_problem(ask(app, "POST", "/predict/churn", content=VALID, headers=headers), 503)


@pytest.mark.parametrize(
    "path", ["/healthz", "/readyz", "/metrics", "/docs", "/openapi.json", "/model-info/churn", "/model-info/nobody"]
)
def test_head_is_answered_as_get_is(app: FastAPI, path: str) -> None:
    head, get = ask(app, "HEAD", path), ask(app, "GET", path)

    assert head.status_code == get.status_code
    assert head.headers["content-type"] == get.headers["content-type"]


def test_head_of_what_is_not_read_is_405_and_in_no_description(app: FastAPI) -> None:
    assert ask(app, "HEAD", "/predict/churn").status_code == 405
    assert all("head" not in operations for operations in app.openapi()["paths"].values())


def test_without_a_model_the_answer_is_503_and_when_to_come_back(app: FastAPI) -> None:
    for response in (predict(app, VALID), ask(app, "GET", "/model-info/churn")):
        check_problem(response, 503)
        assert response.headers["retry-after"] == "3"


def test_without_a_model_the_server_is_alive_and_not_ready(app: FastAPI) -> None:
    ready = ask(app, "GET", "/readyz")

    assert ask(app, "GET", "/healthz").json() == {"status": "alive"}
    assert ready.status_code == 503
    assert ready.json()["status"] == "unavailable"
    assert ready.json()["dependencies"]["model/churn"]["state"] == "loading"


def test_a_use_case_without_a_champion_takes_no_other_out_of_service(tmp_path: Path) -> None:
    server = Server(
        load_settings({"TIDEMILL_HOME": str(tmp_path), "TIDEMILL_SERVING__USE_CASES": '["churn", "fraud"]'})
    )
    churn, fraud = server.holders.values()
    model = SimpleNamespace(version="1", identity="m-1")
    churn.champion = cast(
        LoadedModel, SimpleNamespace(model=model, is_cached=False, source=SimpleNamespace(trouble=None))
    )
    assert server.readiness().status == "unavailable"  # fraud is being looked for
    fraud.load_error = "model 'fraud' has no champion"
    assert server.readiness().status == "degraded"
    churn.champion = None
    churn.load_error = "model 'churn' has no champion"
    assert server.readiness().status == "unavailable"


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nowhere", 404), ("GET", "/predict/churn", 405)])
def test_a_wrong_address_or_method_is_a_problem_too(app: FastAPI, method: str, path: str, status: int) -> None:
    check_problem(ask(app, method, path), status)


@pytest.mark.parametrize("is_chunked", [False, True], ids=["Content-Length", "chunked"])
@pytest.mark.parametrize(("size", "status"), [(LIMIT, 422), (LIMIT + 1, 413), (50 * LIMIT, 413)])
def test_a_body_above_the_limit_is_413(app: FastAPI, is_chunked: bool, size: int, status: int) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, size, 300):
            yield b" " * min(300, size - start)

    response = predict(app, chunks() if is_chunked else b" " * size)

    assert ("content-length" in response.request.headers) is not is_chunked
    check_problem(response, status)


def test_a_body_that_does_not_arrive_is_408_and_the_connection_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model_serving.app.BODY_TIMEOUT_S", 0.1)

    async def never_ending() -> AsyncIterator[bytes]:
        yield VALID[:10]
        await asyncio.sleep(60)

    response = predict(create_app(load_settings({"TIDEMILL_HOME": str(tmp_path)})), never_ending())

    check_problem(response, 408)
    assert response.headers["connection"] == "close"
    assert response.json()["detail"] == "the body did not arrive within 0.1 s"


def test_a_crash_is_500_without_a_trace(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash() -> None:
        raise ArithmeticError("inner secret")

    monkeypatch.setattr(app.state.server, "readiness", crash)

    response = ask(app, "GET", "/readyz", headers={"x-request-id": "mine"})

    check_problem(response, 500)
    assert response.headers["x-request-id"] == "mine"
    assert "secret" not in response.text


def test_metrics_count_by_route_and_status(app: FastAPI) -> None:
    def count() -> float:
        sample = 'tidemill_serving_requests_total{method="POST",route="/predict/{use_case}",status="404"}'
        lines = ask(app, "GET", "/metrics").text.splitlines()
        return next((float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(sample)), 0.0)

    before = count()
    predict(app, VALID, "some")
    predict(app, VALID, "other")

    assert count() - before == 2


@pytest.mark.parametrize("value", ['["nobody"]', "[]", '["../config"]'])
def test_a_use_case_without_a_folder_stops_the_start(tmp_path: Path, value: str) -> None:
    with pytest.raises(ConfigError, match=r"serving\.use_cases .*churn"):
        load_settings({"TIDEMILL_HOME": str(tmp_path), "TIDEMILL_SERVING__USE_CASES": value})
