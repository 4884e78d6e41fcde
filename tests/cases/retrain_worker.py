"""A process of its own that works a request of a small use case off, and dies or stands still where it is told to.

``python -m tests.cases.retrain_worker USE_CASE [kill|pause POINT]``: prints ``ready``, then ``claimed`` or
``nothing``, ``at POINT`` where it pauses, and at last the state that it led the request to, or the error's type.
"""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from ml_modeling.frames.frame import SplitFrame
from ml_modeling.registry import promotion
from ml_modeling.specification import Rollout
from ml_modeling.tracking import runs
from ml_modeling.use_case import UseCase
from monitoring.control import State, control_store
from monitoring.control.requests import RetrainRequests
from monitoring.control.rollouts import Rollouts
from monitoring.retraining import stages
from monitoring.retraining.order import TO_WORK_OFF
from monitoring.retraining.work import Work
from monitoring.retraining.working_off import work_off
from monitoring.rollout.running import ENDED
from tests.cases import small_churn
from tests.cases.dying import Point, after, before, kill
from tidemill.config import load_settings
from tidemill.config.errors import TidemillError
from tidemill.config.interruption import raise_on_signals


def fast(name: str) -> UseCase:
    """One candidate, few draws: what is tested here is not how good the model is."""
    spec = small_churn.CHURN.spec
    bootstrap = spec.bootstrap.model_copy(update={"replicates": 100})
    spec = spec.model_copy(
        update={"candidates": {"logistic_regression": {"C": [0.1, 1.0]}}, "bootstrap": bootstrap, "fairness": None}
    )
    spec = spec.model_copy(update={"rollout": Rollout(policy="direct")})
    return replace(small_churn.CHURN, name=name, spec=spec).with_budget(1, 60.0)


def moves_to(state: State) -> Callable[..., bool]:
    return lambda _requests, _lease, _expected, to, *_: to is state


def writes(path: str) -> Callable[..., bool]:
    return lambda _run, _text, written: written == path


def ends_a_rollout(*_: Any, evidence: Mapping[str, Any], **__: Any) -> bool:
    return ENDED in evidence


POINTS: dict[str, Point] = {
    "claimed": after(RetrainRequests, "claim"),
    "run begun": before(small_churn, "data"),
    "run half written": before(runs.TrainingRun, "log_model"),
    "run finished": before(RetrainRequests, "advance", moves_to(State.TRAINED)),
    "trained": after(RetrainRequests, "advance", moves_to(State.TRAINED)),
    "half evaluated": before(runs.TrainingRun, "log_text", writes(runs.EVALUATION)),
    "evaluated": before(stages, "gate_run"),
    "judged": before(RetrainRequests, "advance", moves_to(State.GATED)),
    "gated": after(RetrainRequests, "advance", moves_to(State.GATED)),
    "registered": after(stages, "register"),
    "at its rollout": after(RetrainRequests, "advance", moves_to(State.CANARY)),
    "handed over": before(stages, "step"),
    "rollout begun": after(Rollouts, "change"),
    "intended": after(promotion.audit, "intend"),
    "alias moved": before(promotion, "_complete"),
    "promotion written": before(Rollouts, "change", ends_a_rollout),
    "rollout ended": before(RetrainRequests, "advance", moves_to(State.PROMOTED)),
    "promoted": after(RetrainRequests, "advance", moves_to(State.PROMOTED)),
}
"""Where a worker may be in the way of a request, in their order."""


def pause(point: str) -> None:
    say(f"at {point}")
    sys.stdin.readline()


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def read(_use_case: UseCase) -> SplitFrame:
    return small_churn.data()


def main(name: str, how: str = "", point: str = "") -> None:
    raise_on_signals()
    settings = load_settings()
    if point:
        POINTS[point](kill if how == "kill" else lambda: pause(point))
    with control_store(settings) as store:
        say("ready")
        sys.stdin.readline()
        duration = timedelta(seconds=settings.control.lease_s)
        claimed = store.requests.claim(f"worker {os.getpid()}", duration, name, states=TO_WORK_OFF)
        if claimed is None:
            say("nothing")
            return
        say("claimed")
        try:
            ended = work_off(Work(settings, store, fast(name), read, lambda _: None), claimed.lease)
        except TidemillError as error:
            sys.stderr.write(f"{error}\n")
            say(type(error).__name__)
            return
    say(ended.state)


if __name__ == "__main__":
    main(*sys.argv[1:])
