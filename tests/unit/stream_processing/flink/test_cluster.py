"""What is asked of a job manager that is too busy to answer at once, by a server that answers as it does."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest

from stream_processing.flink.cluster import Cluster, ClusterAwayError, SavepointError
from tidemill.config import load_settings

Answers = list[tuple[int, dict[str, Any]]]
TRIGGERED = (202, {"request-id": "r1"})
IN_PROGRESS = (200, {"status": {"id": "IN_PROGRESS"}})
MADE = (200, {"status": {"id": "COMPLETED"}, "operation": {"location": "file:/savepoints/s1"}})
REFUSED = (
    200,
    {"status": {"id": "COMPLETED"}, "operation": {"failure-cause": {"stack-trace": "a\nCaused by: no disk\n\tat b"}}},
)
BUSY = (503, {"errors": ["busy"]})


@pytest.fixture
def answers() -> Answers:
    """What the manager answers, one request after another."""
    return []


@pytest.fixture
def cluster(answers: Answers) -> Iterator[Cluster]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answers.pop(0)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield Cluster(load_settings({"TIDEMILL_FLINK__URL": f"http://127.0.0.1:{server.server_port}"}))
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_savepoint_is_waited_for_while_the_manager_is_too_busy_to_answer(cluster: Cluster, answers: Answers) -> None:
    answers += [TRIGGERED, IN_PROGRESS, BUSY, MADE]
    assert cluster.savepoint("j1", "file:/savepoints", 30.0) == "file:/savepoints/s1"
    assert answers == []


def test_a_savepoint_that_cannot_be_made_says_why(cluster: Cluster, answers: Answers) -> None:
    answers += [TRIGGERED, REFUSED]
    with pytest.raises(SavepointError, match="no disk"):
        cluster.savepoint("j1", "file:/savepoints", 30.0)


def test_a_savepoint_that_was_not_begun_is_no_savepoint(cluster: Cluster, answers: Answers) -> None:
    answers += [BUSY]
    with pytest.raises(ClusterAwayError, match="503"):
        cluster.savepoint("j1", "file:/savepoints", 30.0)
