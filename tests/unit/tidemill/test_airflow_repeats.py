"""An API server that answers 500 on its way, as Airflow does on SQLite; here a plain HTTP server plays it."""

import json
import threading
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import unquote

import pytest

from tidemill import airflow_api
from tidemill.airflow_api import AirflowConflictError, AirflowUnavailableError
from tidemill.airflow_client import AirflowClient
from tidemill.config import load_settings

LOCKED = {"detail": {"reason": "Database error", "orig_error": "database is locked"}}


class Airflow(HTTPServer):
    """Makes runs; its first answers to PATCH and POST are 500, ``late`` of them after the work was done."""

    def __init__(self, failures: int, *, late: bool) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.failures = failures
        self.late = late
        self.runs: list[str] = []
        self.paused = True


class Handler(BaseHTTPRequestHandler):
    server: Airflow

    def do_GET(self) -> None:
        found = unquote(self.path.rpartition("/")[2]) in self.server.runs
        self._answer(HTTPStatus.OK if found else HTTPStatus.NOT_FOUND, {"state": "queued"})

    def do_PATCH(self) -> None:
        self._change(lambda body: setattr(self.server, "paused", body["is_paused"]))

    def do_POST(self) -> None:
        def start(body: dict[str, str]) -> None:
            if body["dag_run_id"] in self.server.runs:
                raise FileExistsError
            self.server.runs.append(body["dag_run_id"])

        self._change(start)

    def _change(self, work) -> None:  # type: ignore[no-untyped-def]
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        fails, self.server.failures = self.server.failures > 0, self.server.failures - 1
        try:
            if not fails or self.server.late:
                work(body)
        except FileExistsError:
            return self._answer(HTTPStatus.CONFLICT, {"detail": "DAGRun exists"})
        return self._answer(HTTPStatus.INTERNAL_SERVER_ERROR if fails else HTTPStatus.OK, LOCKED if fails else {})

    def _answer(self, status: HTTPStatus, body: object) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def airflow(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Airflow, AirflowClient]]:
    monkeypatch.setattr(airflow_api.time, "sleep", lambda seconds: None)
    server = Airflow(**request.param)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    settings = load_settings({"TIDEMILL_AIRFLOW__URL": f"http://127.0.0.1:{server.server_port}"})
    with AirflowClient(settings) as client:
        yield server, client
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("airflow", [{"failures": 2, "late": False}, {"failures": 2, "late": True}], indirect=True)
def test_a_dag_is_unpaused_and_started_once_whatever_the_first_answers_were(
    airflow: tuple[Airflow, AirflowClient],
) -> None:
    server, client = airflow
    client.unpause("any")
    server.failures = 1
    run_id = client.trigger("any")
    assert not server.paused
    assert server.runs == [run_id]


@pytest.mark.parametrize("airflow", [{"failures": 10_000_000, "late": False}], indirect=True)
def test_a_server_that_stays_at_fault_is_reported_with_what_it_says(
    airflow: tuple[Airflow, AirflowClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(airflow_api, "PATIENCE_S", 0.1)
    with pytest.raises(AirflowUnavailableError, match=r"answered 500: .*Database error"):
        airflow[1].trigger("any")


@pytest.mark.parametrize("airflow", [{"failures": 0, "late": False}], indirect=True)
def test_a_run_of_somebody_elses_with_that_id_is_a_conflict(
    airflow: tuple[Airflow, AirflowClient],
) -> None:
    server, client = airflow
    with pytest.raises(AirflowConflictError, match="answered 409: DAGRun exists"):
        for _ in range(2):
            client._api.request("POST", "/dags/any/dagRuns", json={"dag_run_id": "the same"})
    assert server.runs == ["the same"]
