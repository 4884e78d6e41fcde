import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import psutil
import pytest
from click.testing import CliRunner

from config import Settings
from tidemill.commands.lake import command
from tidemill.stack.folders import Folders
from tidemill.stack.launch import record_path
from tidemill.stack.ports import free_ports
from tidemill.stack.processes import Record
from tidemill.stack.stream_stopped import StreamRunsError, require_stream_stopped


class Metrics(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Nothing: the test's output is not a log."""


@pytest.fixture
def stopped(settings: Settings) -> Settings:
    """Settings of a stack of which nothing runs."""
    (port,) = free_ports(1)
    stream = settings.stream.model_copy(update={"metrics_address": f"127.0.0.1:{port}"})
    Folders.of(settings).create()
    return settings.model_copy(update={"stream": stream})


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    code = "import time; time.sleep(600)"
    process = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    yield process
    process.kill()
    process.wait()


def test_where_nothing_runs_nothing_is_refused(stopped: Settings) -> None:
    require_stream_stopped(stopped)


def test_a_process_of_the_stack_that_serves_no_metrics_yet_is_refused(
    stopped: Settings, process: subprocess.Popen[bytes]
) -> None:
    record = Record(process.pid, psutil.Process(process.pid).create_time())
    record.write(record_path(Folders.of(stopped).launch_file("stream")))
    with pytest.raises(StreamRunsError, match="`tidemill down stream`"):
        require_stream_stopped(stopped)


def test_rejudge_is_refused_while_an_application_of_another_stack_answers(
    stopped: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, port = stopped.stream.metrics_address.split(":")
    with HTTPServer((host, int(port)), Metrics) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("TIDEMILL_HOME", str(stopped.home))
        monkeypatch.setenv("TIDEMILL_STREAM__METRICS_ADDRESS", stopped.stream.metrics_address)
        error = CliRunner().invoke(command, ["rejudge", "shop.transaction.v1"]).exception
        server.shutdown()
    assert isinstance(error, StreamRunsError)
