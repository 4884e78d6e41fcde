"""How a model that passed its gates comes to its traffic, and what takes it back on the way."""

from datetime import timedelta
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, model_validator

from ml_modeling.specification.parts import Part

RolloutPolicy = Literal["direct", "manual", "shadow", "canary", "ab", "blue_green"]
PerCent = Annotated[int, Field(ge=1, le=100)]


class Guards(Part):
    """What takes a challenger back by itself; without a value a guard is off.

    ``error_rate`` is the share of requests that it fails at, ``p95_ms`` the 95th percentile of its latency, in
    milliseconds, ``score_shift`` how far its scores may lie from those of its replay, in standard deviations of a
    normal one (0.5 is a PSI of 0.25). ``alpha`` bounds the probability that one guard takes a good one back in a step.
    """

    error_rate: float | None = Field(default=0.05, gt=0, lt=1)
    p95_ms: float | None = Field(default=100.0, gt=0)
    score_shift: float | None = Field(default=0.5, gt=0)
    live_metric: bool = True
    alpha: float = Field(default=0.01, gt=0, lt=0.5)


class Rollout(Part):
    """``steps`` are the challenger's per cent of the entities, ``split`` those of an A/B test.

    A step lasts ``step_minutes`` and until the challenger has given ``min_answers`` in it. ``alpha`` bounds the
    probability that an A/B test promotes a worse model. What is not over after ``most_days`` is taken back.
    ``replay_days`` are answered again before any of it.
    """

    policy: RolloutPolicy = "canary"
    steps: tuple[PerCent, ...] = Field(default=(10, 50, 100), min_length=1)
    step_minutes: float = Field(default=30.0, ge=0)
    min_answers: int = Field(default=200, ge=1)
    split: int = Field(default=50, ge=1, le=99)
    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    most_days: float = Field(default=14.0, gt=0)
    replay_days: float = Field(default=1.0, gt=0)
    guards: Guards = Field(default_factory=Guards)

    @model_validator(mode="after")
    def _grows_to_all(self) -> "Rollout":
        if any(later <= earlier for earlier, later in pairwise(self.steps)):
            raise ValueError(f"steps {list(self.steps)}: each is larger than the one before")
        return self

    @property
    def step_time(self) -> timedelta:
        return timedelta(minutes=self.step_minutes)

    @property
    def longest(self) -> timedelta:
        return timedelta(days=self.most_days)

    @property
    def replay_time(self) -> timedelta:
        return timedelta(days=self.replay_days)
