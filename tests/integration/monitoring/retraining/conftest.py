import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from ml_modeling.frames.frame import SplitFrame
from ml_modeling.registry import audit
from ml_modeling.registry.audit import AuditRecord
from ml_modeling.registry.connection import connect
from ml_modeling.use_case import UseCase
from monitoring.control import Ask, ControlStore, RetrainRequest, Source, State, control_store
from monitoring.retraining.order import TO_WORK_OFF
from monitoring.retraining.work import Work
from monitoring.rollout.conducting import step
from monitoring.rollout.work import Place
from monitoring.rollout.work import Work as RolloutWork
from tests.cases.control_stores import NO_LIMITS, request
from tests.cases.retrain_worker import fast, read
from tidemill.config import Settings
from tidemill.config.settings import REPO

LEASE_S = 2.0


@dataclass(frozen=True)
class Worker:
    """A process of `retrain_worker`."""

    process: subprocess.Popen[str]

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def begin(self) -> "Worker":
        """Goes on from where it waits."""
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return self

    def ended(self) -> list[str]:
        """What it said until its end."""
        assert self.process.stdout is not None
        said = self.process.stdout.read().split("\n")
        self.process.wait(60)
        return said[:-1]


@dataclass(frozen=True)
class Loop:
    """A use case of one test alone, its requests and its models; ``settings`` have a lease of seconds."""

    settings: Settings
    store: ControlStore
    name: str

    def ask(self, key: str = "drift", **policy: Any) -> RetrainRequest:
        ask = Ask(self.name, Source.DRIFT, key, "spend_30d moved", "monitor", policy=policy)
        return request(self.store.requests.ask(ask, NO_LIMITS))

    def claim(self) -> RetrainRequest:
        duration = timedelta(seconds=LEASE_S)
        return request(self.store.requests.claim("this test", duration, self.name, states=TO_WORK_OFF))

    def work(self, read: Callable[[UseCase], SplitFrame] = read, **spec: Any) -> Work:
        """What a worker of this process works with; ``spec`` changes parts of its ``model.yaml``."""
        use_case = fast(self.name)
        changed = replace(use_case, spec=use_case.spec.model_copy(update=spec))
        return Work(self.settings, self.store, changed, read, lambda _: None)

    def conduct(self) -> None:
        """Goes on with the rollouts that others left, until nothing is left of them."""
        deadline = time.monotonic() + 60
        work = RolloutWork(Place(self.settings, self.store, self.name, "conductor"), fast(self.name))
        while step(work).action is not None or self.store.requests.newest(self.name, is_open=True):
            assert time.monotonic() < deadline
            time.sleep(0.2)

    def states(self, of: RetrainRequest) -> Sequence[State]:
        """The states that a request was in, one after another."""
        trail = self.store.requests.trail(of.id)
        assert [entry.ordinal for entry in trail] == list(range(1, len(trail) + 1))
        assert [entry.from_state for entry in trail[1:]] == [entry.to_state for entry in trail[:-1]]
        return [entry.to_state for entry in trail if entry.from_state is not entry.to_state]

    def promotions(self) -> Sequence[AuditRecord]:
        """What is completed of the audit trail."""
        return [record for record in audit.trail(self.settings, self.name) if record.state == "completed"]

    def runs(self) -> Sequence[str]:
        """The statuses of the training runs, sorted."""
        client = connect(self.settings)
        experiment = client.get_experiment_by_name(self.name)
        return sorted(run.info.status for run in client.search_runs([experiment.experiment_id])) if experiment else []

    def run_of(self, request: RetrainRequest) -> Any:
        """The training run that a request led to, as MLflow has it."""
        return connect(self.settings).get_run(request.progress["trained"]["run_id"])


@pytest.fixture
def loop(settings: Settings, mlflow_server: str) -> Iterator[Loop]:
    control = settings.control.model_copy(update={"lease_s": LEASE_S})
    own = settings.model_copy(update={"control": control})
    with control_store(own) as store:
        yield Loop(own, store, f"model-{uuid.uuid4().hex[:8]}")


Start = Callable[..., Worker]


@pytest.fixture
def worker(environment: dict[str, str], loop: Loop) -> Iterator[Start]:
    """Starts a worker that is ready to claim; it dies or pauses where ``arguments`` say."""
    started: list[Worker] = []
    variables = os.environ | environment | {"TIDEMILL_CONTROL__LEASE_S": str(LEASE_S), "PYTHONPATH": str(REPO)}

    def start(*arguments: str) -> Worker:
        line = [sys.executable, "-m", "tests.cases.retrain_worker", loop.name, *arguments]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        made = Worker(subprocess.Popen(line, cwd=REPO, env=variables, text=True, **pipes))  # type: ignore[call-overload]
        started.append(made)
        assert made.line() == "ready"
        return made

    yield start
    for made in started:
        made.process.kill()
        made.process.communicate()
