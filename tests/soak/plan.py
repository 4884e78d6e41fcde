"""When which fault happens: the same for a seed, whatever the machine does."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from random import Random

KILL_EVERY_S = 120.0
FIRST_KILL_S = 60.0
LOSE_KEYS_EVERY_S = 240.0
QUIET_END_S = 60.0
"""Before the end nothing more happens, so that a repair has begun when the traffic stops."""


def kill(what: str) -> str:
    return f"kill -9 {what}"


KILLED = ("stream", "redis", "kafka", "model-server", "mlflow", "worker")
KEEP_COPY, ROLL_BACK = "keep a copy of Redis", "roll Redis back to the copy"
CORRECT, TAKE_BACK = "correct silver", "take the correction back"
DELETE_CHAMPION = "delete the champion's version"
LOSE_KEYS = "delete states in Redis"
ONCE = {KEEP_COPY: 0.15, ROLL_BACK: 0.35, CORRECT: 0.5, DELETE_CHAMPION: 0.6, TAKE_BACK: 0.7}
"""What happens once, and after which share of the time."""
NEEDS = {
    KEEP_COPY: {"redis"},
    ROLL_BACK: {"redis"},
    LOSE_KEYS: {"redis"},
    DELETE_CHAMPION: {"mlflow", "model-server"},
    kill("worker"): {"stream"},
}
"""Which services must be there for a fault: while one of them is away, it waits."""


@dataclass(frozen=True, order=True)
class Planned:
    """``at`` is in seconds after the start."""

    at: float
    kind: str


def is_possible(kind: str, away: Collection[str]) -> bool:
    """Whether a fault can be brought about while those services do not work."""
    return NEEDS.get(kind, set()).isdisjoint(away)


def plan(duration_s: float, seed: int) -> list[Planned]:
    """All faults of a soak, in the order of time."""
    last = duration_s - QUIET_END_S
    faults = [Planned(share * duration_s, kind) for kind, share in ONCE.items()]
    killed = _killed(seed)
    faults += [Planned(at, kill(next(killed))) for at in _times(FIRST_KILL_S, KILL_EVERY_S, last)]
    faults += [Planned(at, LOSE_KEYS) for at in _times(FIRST_KILL_S * 2, LOSE_KEYS_EVERY_S, last)]
    return sorted(faults)


def _times(first: float, step: float, last: float) -> list[float]:
    return [first + number * step for number in range(int((last - first) // step) + 1)] if last >= first else []


def _killed(seed: int) -> Iterator[str]:
    """One after the other at random, each as often as any."""
    random = Random(seed)
    while True:
        yield from random.sample(KILLED, len(KILLED))
