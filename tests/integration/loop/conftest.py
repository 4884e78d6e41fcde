"""The whole loop but for Spark and Airflow: Redis, MLflow, Kafka, the control store and the model server."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial

import pytest

from data_lake.delta_tables import create_table
from ml_modeling.registry import promotion
from monitoring.control import ControlStore
from tests.cases.control_stores import SetClock
from tests.cases.rollouts import LOG, Case
from tests.integration.conftest import settings_on_free_ports
from tests.integration.loop import models
from tests.integration.loop.live import Live
from tests.integration.model_serving.conftest import (
    FEATURE_TIMEOUT_S,
    SERVICES,
    Backends,
    ModelServer,
    answers,
    eventually,
)
from tests.integration.model_serving.rows import write_states

Seen = Callable[[str], None]
CHALLENGER_TIMEOUT_S = 20.0
"""A model that is slow answers, however busy the machine is: it is the guard on latency that takes it back."""


@pytest.fixture(scope="package")
def backends(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backends]:
    """Redis with rows, MLflow with a first champion, Kafka, and a lake with an empty log."""
    own = settings_on_free_ports(tmp_path_factory.mktemp("loop"))
    patient = {"feature_timeout_s": FEATURE_TIMEOUT_S, "challenger_timeout_s": CHALLENGER_TIMEOUT_S}
    serving = own.serving.model_copy(update=patient)
    backends = Backends(own.model_copy(update={"serving": serving}))
    try:
        for name in SERVICES:
            backends.start(name)
        write_states(backends.settings)
        create_table(LOG, backends.settings)
        first = models.registered(backends.settings, models.good(0.0))
        promotion.promote(backends.settings, "churn", first.version.version, "the first", "ada")
        yield backends
    finally:
        backends.stop_all()


@pytest.fixture(scope="package")
def clock() -> SetClock:
    """That of the conductors: it goes on from test to test."""
    clock = SetClock()
    clock.now = datetime.now(UTC)
    return clock


@pytest.fixture
def live(backends: Backends, clock: SetClock) -> Iterator[Live]:
    """A server that is ready, no rollout, and conductors whose clock is set by hand."""
    url = f"sqlite:///{backends.settings.home / 'control.db'}"
    server = ModelServer(backends.settings, backends.settings.home / "model-server.log")
    with ControlStore(url, clock) as store:
        live = Live(backends, server, Case(backends.settings, url, store, clock, "churn"))
        try:
            eventually(lambda: answers(server, "/readyz"), "a ready server")
            yield live
        finally:
            live.server.stop()


@pytest.fixture
def seen(record_property: Callable[[str, object], None]) -> Seen:
    """Keeps a line of what was seen for the end of the report, also where all is well: for who runs the matrix."""
    return partial(record_property, "seen")
