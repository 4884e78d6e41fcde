"""Job managers: a server that gives the answers that it is told, and one in memory."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from stream_processing.flink import deploying
from tests.unit.stream_processing.flink.fake_cluster import FakeCluster
from tidemill.config import Settings, load_settings

Answers = list[tuple[int, dict[str, Any]]]


@pytest.fixture
def answers() -> Answers:
    """What the manager answers, one request after another."""
    return []


@pytest.fixture
def manager(answers: Answers, tmp_path: Path) -> Iterator[Settings]:
    """The settings of a stack whose job manager gives ``answers``."""

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
    url = f"http://127.0.0.1:{server.server_port}"
    yield load_settings({"TIDEMILL_HOME": str(tmp_path / "home"), "TIDEMILL_FLINK__URL": url})
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    """The cluster that jobs are deployed to, stopped on and submitted to."""
    fake = FakeCluster(load_settings({"TIDEMILL_HOME": str(tmp_path / "a home")}))
    monkeypatch.setattr(deploying, "Cluster", lambda _settings: fake)
    monkeypatch.setattr(deploying, "submit", fake.submit)
    return fake
