import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest
from prometheus_client import CollectorRegistry, start_http_server

from feature_store.catalog import served_groups, state_view_name
from stream_processing.spark_streaming.queries.progress import StateCollector
from stream_processing.spark_streaming.queries.states import QueryState, QueryStates, State
from tidemill.config import Settings
from tidemill.contracts.registry import contracts
from tidemill.stack.machine.ports import free_ports
from tidemill.stack.service import NotReadyError
from tidemill.stack.services import stream

QUERIES = [f"{layer}/{topic}" for topic in contracts() for layer in ("bronze", "silver")]
QUERIES += [f"features/{state_view_name(group)}" for group in served_groups(["churn"])]


@contextmanager
def application(
    settings: Settings, queries: Mapping[str, QueryState], looked_at: float | None = None
) -> Iterator[Settings]:
    """The settings of an application that serves these states of its queries, and last had its JVM's answer then."""
    registry, states = CollectorRegistry(), QueryStates()
    if looked_at is not None:
        states.look({}, looked_at)
    for query, state in queries.items():
        states.set(query, state.state, state.sentence)
    registry.register(StateCollector(states))
    (port,) = free_ports(1)
    server, thread = start_http_server(port, addr="127.0.0.1", registry=registry)
    try:
        yield settings.model_copy(
            update={"stream": settings.stream.model_copy(update={"metrics_address": f"127.0.0.1:{port}"})}
        )
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


ALL = dict.fromkeys(QUERIES, QueryState(State.RUNNING))


def test_the_stream_is_ready_when_every_query_runs(settings: Settings) -> None:
    with application(settings, ALL) as moved:
        stream.probe(moved, 0)
        assert stream.trouble(moved) == ""


def test_the_stream_is_ready_while_its_jvm_answers(settings: Settings) -> None:
    with application(settings, ALL, looked_at=time.time() - 30) as moved:
        stream.probe(moved, 0)


def test_the_stream_is_not_ready_when_its_jvm_has_not_answered_for_a_minute(settings: Settings) -> None:
    silent = pytest.raises(NotReadyError, match=r"its JVM has not answered for 6\d s: it is stopped, or hangs")
    with application(settings, ALL, looked_at=time.time() - 61) as moved, silent:
        stream.probe(moved, 0)


def test_a_query_that_has_not_started_is_named(settings: Settings) -> None:
    queries = {query: ALL[query] for query in QUERIES[1:]}
    with application(settings, queries) as moved, pytest.raises(NotReadyError, match=f"not running: {QUERIES[0]}$"):
        stream.probe(moved, 0)


def test_a_query_that_is_about_to_be_tried_again_is_named_with_its_cause(settings: Settings) -> None:
    queries = ALL | {QUERIES[0]: QueryState(State.RETRYING, "no broker answered")}
    with (
        application(settings, queries) as moved,
        pytest.raises(NotReadyError, match=rf"not running: {QUERIES[0]} \(no broker answered\)$"),
    ):
        stream.probe(moved, 0)


def test_a_failed_and_a_stuck_query_are_trouble_and_the_others_do_their_work(settings: Settings) -> None:
    troubled = {QUERIES[0]: QueryState(State.FAILED, "loss"), QUERIES[1]: QueryState(State.STUCK, "hangs")}
    with application(settings, ALL | troubled) as moved:
        stream.probe(moved, 0)
        assert stream.trouble(moved) == f"{QUERIES[0]} is failed; {QUERIES[1]} is stuck"


def test_an_application_that_is_away_is_not_ready(settings: Settings) -> None:
    (port,) = free_ports(1)
    moved = settings.model_copy(
        update={"stream": settings.stream.model_copy(update={"metrics_address": f"127.0.0.1:{port}"})}
    )
    with pytest.raises(NotReadyError, match=f"GET http://127.0.0.1:{port}/metrics"):
        stream.probe(moved, 0)
