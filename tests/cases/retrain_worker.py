"""A process of its own that works a request of a small use case off, and dies or stands still where it is told to.

``python -m tests.cases.retrain_worker USE_CASE [kill|pause POINT]``: prints ``ready``, then ``claimed`` or
``nothing``, ``at POINT`` where it pauses, and at last the state that it led the request to, or the error's type.
"""

import functools
import os
import signal
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
from tidemill.config import load_settings
from tidemill.config.errors import TidemillError
from tidemill.config.interruption import raise_on_signals

Happening = Callable[[], None]
Call = Callable[..., Any]


def fast(name: str) -> UseCase:
    """One candidate, few draws: what is tested here is not how good the model is."""
    spec = small_churn.CHURN.spec
    bootstrap = spec.bootstrap.model_copy(update={"replicates": 100})
    spec = spec.model_copy(
        update={"candidates": {"logistic_regression": {"C": [0.1, 1.0]}}, "bootstrap": bootstrap, "fairness": None}
    )
    spec = spec.model_copy(update={"rollout": Rollout(policy="direct")})
    return replace(small_churn.CHURN, name=name, spec=spec).with_budget(1, 60.0)


def before(owner: Any, name: str, happen: Happening, when: Callable[..., bool] = lambda *_, **__: True) -> None:
    """Has ``owner.name`` begin with ``happen``, for the calls that ``when`` is true of."""
    own: Call = getattr(owner, name)

    @functools.wraps(own)
    def wrapped(*arguments: Any, **named: Any) -> Any:
        if when(*arguments, **named):
            happen()
        return own(*arguments, **named)

    setattr(owner, name, wrapped)


def after(owner: Any, name: str, happen: Happening, when: Callable[..., bool] = lambda *_, **__: True) -> None:
    """Has ``owner.name`` end with ``happen``, as :func:`before`."""
    own: Call = getattr(owner, name)

    @functools.wraps(own)
    def wrapped(*arguments: Any, **named: Any) -> Any:
        result = own(*arguments, **named)
        if when(*arguments, **named):
            happen()
        return result

    setattr(owner, name, wrapped)


def moves_to(state: State) -> Callable[..., bool]:
    return lambda _requests, _lease, _expected, to, *_: to is state


def writes(path: str) -> Callable[..., bool]:
    return lambda _run, _text, written: written == path


def ends_a_rollout(*_: Any, evidence: Mapping[str, Any], **__: Any) -> bool:
    return ENDED in evidence


POINTS: dict[str, Callable[[Happening], None]] = {
    "claimed": lambda happen: after(RetrainRequests, "claim", happen),
    "run begun": lambda happen: before(small_churn, "data", happen),
    "run half written": lambda happen: before(runs.TrainingRun, "log_model", happen),
    "run finished": lambda happen: before(RetrainRequests, "advance", happen, moves_to(State.TRAINED)),
    "trained": lambda happen: after(RetrainRequests, "advance", happen, moves_to(State.TRAINED)),
    "half evaluated": lambda happen: before(runs.TrainingRun, "log_text", happen, writes(runs.EVALUATION)),
    "evaluated": lambda happen: before(stages, "gate_run", happen),
    "judged": lambda happen: before(RetrainRequests, "advance", happen, moves_to(State.GATED)),
    "gated": lambda happen: after(RetrainRequests, "advance", happen, moves_to(State.GATED)),
    "registered": lambda happen: after(stages, "register", happen),
    "at its rollout": lambda happen: after(RetrainRequests, "advance", happen, moves_to(State.CANARY)),
    "handed over": lambda happen: before(stages, "step", happen),
    "rollout begun": lambda happen: after(Rollouts, "change", happen),
    "intended": lambda happen: after(promotion.audit, "intend", happen),
    "alias moved": lambda happen: before(promotion, "_complete", happen),
    "promotion written": lambda happen: before(Rollouts, "change", happen, ends_a_rollout),
    "rollout ended": lambda happen: before(RetrainRequests, "advance", happen, moves_to(State.PROMOTED)),
    "promoted": lambda happen: after(RetrainRequests, "advance", happen, moves_to(State.PROMOTED)),
}
"""Where a worker may be in the way of a request, in their order."""


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


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
