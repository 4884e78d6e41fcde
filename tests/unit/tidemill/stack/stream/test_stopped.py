import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from click.testing import CliRunner
from prometheus_client import CollectorRegistry, generate_latest

from data_lake import topic_starts
from stream_processing.spark_streaming.queries.progress import StateCollector
from stream_processing.spark_streaming.queries.states import QueryStates, State
from tidemill.commands import stream
from tidemill.commands.lake import command
from tidemill.config import Settings
from tidemill.config.environment import settings_environment
from tidemill.stack.folders import Folders
from tidemill.stack.machine.ports import free_ports
from tidemill.stack.stream.stopped import StreamRunsError, require_query_ended, require_stream_stopped
from tidemill.stack.supervision.launch import record_path
from tidemill.stack.supervision.processes import Record

QUERY = "bronze/shop.transaction.v1"


class Metrics(BaseHTTPRequestHandler):
    body = b""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.body)

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


@contextmanager
def answering(settings: Settings, states: QueryStates) -> Iterator[None]:
    """An application at the address of ``settings`` whose queries are as ``states`` say."""
    registry = CollectorRegistry()
    registry.register(StateCollector(states))
    handler = type("Answering", (Metrics,), {"body": generate_latest(registry)})
    host, port = settings.stream.metrics_address.split(":")
    with HTTPServer((host, int(port)), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield
        server.shutdown()


def test_where_nothing_runs_nothing_is_refused(stopped: Settings) -> None:
    require_stream_stopped(stopped)
    require_query_ended(stopped, QUERY)


@pytest.mark.parametrize("state", State)
def test_a_query_has_ended_when_it_failed_whatever_the_others_do(stopped: Settings, state: State) -> None:
    states = QueryStates()
    states.set(QUERY, state)
    states.set("bronze/shop.click.v1", State.RUNNING)
    states.set("silver/shop.transaction.v1", State.RUNNING)
    with answering(stopped, states):
        if state is State.FAILED:
            require_query_ended(stopped, QUERY)
        else:
            with pytest.raises(StreamRunsError, match=f"{QUERY} has not ended"):
                require_query_ended(stopped, QUERY)


def test_a_query_that_the_application_has_not_told_of_yet_has_not_ended(stopped: Settings) -> None:
    with answering(stopped, QueryStates()), pytest.raises(StreamRunsError):
        require_query_ended(stopped, QUERY)


def test_a_new_generation_is_refused_while_the_query_of_the_old_one_may_still_commit(
    stopped: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit after the count would be a finding of `reconcile` for ever."""
    counted: list[str] = []
    for name, value in settings_environment(stopped).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(topic_starts, "compare", lambda _settings, _topic: "another topic id")
    monkeypatch.setattr(topic_starts, "new_generation", lambda _settings, topic, _who: counted.append(topic))
    states = QueryStates()
    states.set(QUERY, State.RUNNING)
    with answering(stopped, states):
        error = CliRunner().invoke(stream.command, ["new-generation", "shop.transaction.v1", "--yes"]).exception
    assert isinstance(error, StreamRunsError)
    assert counted == []


def test_a_process_of_the_stack_that_serves_no_metrics_yet_is_refused(
    stopped: Settings, process: subprocess.Popen[bytes]
) -> None:
    record = Record.of(process.pid)
    record.write(record_path(Folders.of(stopped).launch_file("stream")))
    with pytest.raises(StreamRunsError, match="`tidemill down stream`"):
        require_stream_stopped(stopped)
    with pytest.raises(StreamRunsError, match="`tidemill down stream`"):
        require_query_ended(stopped, QUERY)


def test_rejudge_is_refused_while_an_application_of_another_stack_answers(
    stopped: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDEMILL_HOME", str(stopped.home))
    monkeypatch.setenv("TIDEMILL_STREAM__METRICS_ADDRESS", stopped.stream.metrics_address)
    with answering(stopped, QueryStates()):
        error = CliRunner().invoke(command, ["rejudge", "shop.transaction.v1"]).exception
    assert isinstance(error, StreamRunsError)
