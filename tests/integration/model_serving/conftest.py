"""The model server as a process of its own, beside a Redis, an MLflow and a Kafka that tests may stop."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.cases.waiting import eventually
from tests.integration.conftest import settings_on_free_ports
from tests.integration.model_serving.registered import register
from tests.integration.model_serving.rows import write_states
from tidemill.config import Settings
from tidemill.config.environment import settings_environment
from tidemill.stack.machine.ports import free_ports
from tidemill.stack.service import Service
from tidemill.stack.services import kafka, mlflow, redis
from tidemill.stack.supervision.running import running

SERVICES: dict[str, Callable[[Settings], tuple[Service, ...]]] = {
    "redis": redis.services,
    "mlflow": mlflow.services,
    "kafka": kafka.services,
}
PATIENCE_S = 180.0
FEATURE_TIMEOUT_S = 3.0  # longer than a busy machine keeps a Redis from answering


class Backends:
    """Servers that can be stopped and started again on the same data and port."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._running: dict[str, tuple[object, subprocess.Popen[bytes]]] = {}

    def start(self, name: str) -> None:
        context = running(SERVICES[name](self.settings)[0], self.settings)
        self._running[name] = (context, context.__enter__())

    def stop(self, name: str) -> None:
        context, _ = self._running.pop(name)
        context.__exit__(None, None, None)  # type: ignore[attr-defined]

    @contextmanager
    def without(self, name: str) -> Iterator[None]:
        self.stop(name)
        try:
            yield
        finally:
            self.start(name)

    def kill(self, name: str) -> None:
        """Ends a server and all its processes with SIGKILL; it is gone until :meth:`start`."""
        context, process = self._running.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        context.__exit__(None, None, None)  # type: ignore[attr-defined]

    @contextmanager
    def frozen(self, name: str) -> Iterator[None]:
        """The server accepts connections and never answers."""
        _, process = self._running[name]
        os.killpg(process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(process.pid, signal.SIGCONT)

    def stop_all(self) -> None:
        for name in list(self._running):
            self.stop(name)


class ModelServer:
    """The server process and a client of it."""

    def __init__(self, settings: Settings, log: Path, **variables: str) -> None:
        self.settings = settings
        self.log = log
        self.client = httpx.Client(base_url=settings.serving.url, timeout=10)
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "model_serving"],
                env=os.environ | settings_environment(settings) | variables,
                stderr=output,
                stdout=output,
            )

    def predict(self, *ids: str, **options: object) -> httpx.Response:
        body = {"instances": [{"customer_id": customer_id} for customer_id in ids]}
        return self.client.post("/predict/churn", json=body, **options)  # type: ignore[arg-type]

    def degraded(self, customer_id: str) -> list[str]:
        reasons: list[str] = self.predict(customer_id).json()["predictions"][0]["degraded"]
        return reasons

    def dependency(self, name: str) -> str:
        return str(self.client.get("/readyz").json()["dependencies"][name]["state"])

    def metric(self, sample: str) -> float:
        lines = self.client.get("/metrics").text.splitlines()
        return next((float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(sample)), 0.0)

    def stop(self) -> int:
        self.client.close()
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(PATIENCE_S)


def answers(server: ModelServer, path: str = "/healthz") -> bool:
    assert server.process.poll() is None, server.log.read_text(encoding="utf-8")[-3000:]
    try:
        return server.client.get(path).status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture(scope="package")
def backends(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backends]:
    """Redis with rows, MLflow with version 1 of churn as champion, Kafka."""
    own = settings_on_free_ports(tmp_path_factory.mktemp("serving"))
    serving = own.serving.model_copy(update={"feature_timeout_s": FEATURE_TIMEOUT_S})
    backends = Backends(own.model_copy(update={"serving": serving}))
    try:
        for name in SERVICES:
            backends.start(name)
        write_states(backends.settings)
        register(backends.settings, bias=0.0, promote=True)
        yield backends
    finally:
        backends.stop_all()


@pytest.fixture(scope="package")
def server(backends: Backends) -> Iterator[ModelServer]:
    """A ready server."""
    server = ModelServer(backends.settings, backends.settings.home / "model-server.log")
    try:
        eventually(lambda: answers(server, "/readyz"), "a ready server")
        yield server
    finally:
        server.stop()


@pytest.fixture
def second_url() -> str:
    """An address for one more server."""
    return f"http://127.0.0.1:{free_ports(1)[0]}"
