"""The loop as it runs: servers, a model server under requests, and conductors that come and go."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count, groupby
from typing import Any

from ml_modeling.registry import audit
from monitoring.control import RetrainRequest, Rollout, State
from tests.cases.conductors import conduct
from tests.cases.rollouts import Case, Model
from tests.cases.waiting import eventually
from tests.integration.loop.landing import land, logged
from tests.integration.loop.load import Load
from tests.integration.model_serving.conftest import Backends, ModelServer, answers

CANARY: Mapping[str, Any] = {"policy": "canary", "steps": [10, 50, 100], "guards": {"p95_ms": 400}}
STEP = timedelta(minutes=6)
"""More than a step takes; the conductors' clock jumps by it when the step has its answers."""
_NUMBERS = count()


@dataclass
class Live:
    """``follow_s`` are the seconds that the server took to follow, change by change."""

    backends: Backends
    server: ModelServer
    case: Case
    follow_s: list[float] = field(default_factory=list)
    policy: Mapping[str, Any] = field(default_factory=lambda: CANARY)

    @contextmanager
    def load(self) -> Iterator[Load]:
        load = Load(self.backends.settings.serving.url, f"loop-{next(_NUMBERS)}-{id(self):x}")
        with load.running():
            yield load

    def hand_over(self, model: Model) -> RetrainRequest:
        return self.case.handed_over(model)

    def conduct(self) -> str:
        """What one step did, after everything that is logged by now has landed."""
        land(self.backends.settings)
        done = conduct(self.case, **self.policy)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def refused(self) -> str:
        """The end of what a step said that could not be done."""
        done = conduct(self.case, **self.policy)
        assert done.returncode == 1, done.stdout
        return done.stderr.strip().splitlines()[-1]

    def now(self) -> Rollout:
        now = self.case.store.rollouts.current("churn")
        assert now is not None
        return now

    def follow(self) -> None:
        """Waits until the server goes by the traffic of now."""
        now, began = self.now(), time.monotonic()
        eventually(lambda: (self.info()["traffic"] or {}).get("epoch") == now.epoch, "the epoch of now")
        self.follow_s.append(time.monotonic() - began)
        if now.traffic.challenger is not None:
            eventually(self._knows_challenger, "a challenger that is loaded, or why it is not")
        elif now.traffic.champion is not None:
            champion = now.traffic.champion.version
            eventually(lambda: self.info()["version"] == champion, "the champion of now")

    def show(self, load: Load) -> None:
        """Lets as many be asked as a step takes, and the time of a step go by."""
        now = self.case.store.rollouts.current("churn")
        share = 0 if now is None else now.traffic.share
        enough = len(load.answers) + 150 + 5_000 // max(share, 10)
        eventually(lambda: len(load.answers) > enough, "answers")
        self.case.clock.jump(STEP)

    def roll_out(self, load: Load, between: Callable[["Live"], object] = lambda _: None) -> None:
        """Conducts until nothing is left to do; something happens after each step and before its answers."""
        while self.conduct() != "None":
            between(self)
            self.follow()
            if self.now().traffic.challenger is not None:
                self.show(load)

    def restart(self) -> tuple[float, float]:
        """Ends the server with SIGKILL and starts it again: from when until when it was away."""
        died = time.monotonic()
        self.server.process.kill()
        self.server.stop()
        self.server = ModelServer(self.backends.settings, self.server.log)
        eventually(lambda: answers(self.server, "/readyz"), "a ready server")
        return died, time.monotonic()

    def info(self) -> dict[str, Any]:
        info: dict[str, Any] = self.server.client.get("/model-info/churn").json()
        return info

    def _knows_challenger(self) -> bool:
        traffic, named = self.info()["traffic"], self.now().traffic.challenger
        challenger = traffic["challenger"]
        if challenger is None:  # it is the champion by now
            return named is not None and self.info()["version"] == named.version
        return bool(challenger["is_loaded"] or challenger["trouble"])

    def request_ends(self, asked: RetrainRequest) -> list[State]:
        trail = self.case.store.requests.trail(asked.id)
        assert [entry.ordinal for entry in trail] == list(range(1, len(trail) + 1))
        return [entry.to_state for entry in trail if entry.to_state.is_finished]

    def promotions(self) -> list[tuple[str, str | None]]:
        """What is completed of the audit trail; nothing is left open in it."""
        records = audit.trail(self.backends.settings, "churn")
        assert "intended" not in {record.state for record in records}
        return [(record.action, record.to_version) for record in records if record.state == "completed"]

    def logged(self, load: Load) -> Sequence[Mapping[str, Any]]:
        """What the log says of the requests of ``load``, once the server has sent it all."""
        eventually(lambda: self.server.metric("tidemill_serving_prediction_log_waiting") == 0, "an empty log")
        events = (event["data"] for event in logged(self.backends.settings))
        return [said for said in events if said["request_id"].startswith(f"{load.name}-")]


def models_by_turn(said: Sequence[Mapping[str, Any]]) -> dict[tuple[int, str], list[str]]:
    """The versions that answered an entity in an epoch, one after another; those that failed left aside."""
    by_turn = defaultdict(list)
    for row in sorted(said, key=lambda row: str(row["features_at"])):
        if not row["challenger_failed"]:
            by_turn[row.get("epoch", 0), row["entity_id"]].append(row["model_version"])
    return {turn: [version for version, _ in groupby(versions)] for turn, versions in by_turn.items()}
