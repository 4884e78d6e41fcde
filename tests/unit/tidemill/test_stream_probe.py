from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import pytest
from prometheus_client import CollectorRegistry, Gauge, start_http_server

from config import Settings
from contracts.registry import contracts
from feature_store.catalog import served_groups, state_view_name
from tidemill.stack.ports import free_ports
from tidemill.stack.service import NotReadyError
from tidemill.stack.services import stream

QUERIES = [f"{layer}/{topic}" for topic in contracts() for layer in ("bronze", "silver")]
QUERIES += [f"features/{state_view_name(group)}" for group in served_groups(["churn"])]


@contextmanager
def application(settings: Settings, up: Iterable[str], down: Iterable[str] = ()) -> Iterator[Settings]:
    """The settings of an application that serves which of its queries run."""
    registry = CollectorRegistry()
    gauge = Gauge("tidemill_stream_query_up", "1 while the query runs", ["query"], registry=registry)
    for query in up:
        gauge.labels(query).set(1)
    for query in down:
        gauge.labels(query).set(0)
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


def test_the_stream_is_ready_when_every_query_runs(settings: Settings) -> None:
    with application(settings, QUERIES) as moved:
        stream.probe(moved, 0)


def test_a_query_that_has_not_started_is_named(settings: Settings) -> None:
    with application(settings, QUERIES[1:]) as moved, pytest.raises(NotReadyError, match=f"not running: {QUERIES[0]}$"):
        stream.probe(moved, 0)


def test_a_query_that_has_stopped_is_named(settings: Settings) -> None:
    with (
        application(settings, QUERIES[1:], QUERIES[:1]) as moved,
        pytest.raises(NotReadyError, match=f"not running: {QUERIES[0]}$"),
    ):
        stream.probe(moved, 0)


def test_an_application_that_is_away_is_not_ready(settings: Settings) -> None:
    (port,) = free_ports(1)
    moved = settings.model_copy(
        update={"stream": settings.stream.model_copy(update={"metrics_address": f"127.0.0.1:{port}"})}
    )
    with pytest.raises(NotReadyError, match=f"GET http://127.0.0.1:{port}/metrics"):
        stream.probe(moved, 0)
