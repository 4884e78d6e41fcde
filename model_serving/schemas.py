"""What the server is asked and what it answers."""

from collections.abc import Collection
from datetime import datetime
from enum import StrEnum
from itertools import islice
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

MAX_UNKNOWN = 20
"""So many fields of an object that nobody knows are looked at: each is an error of its own."""


def with_few_unknown(given: Any, known: Collection[str]) -> Any:
    """An object with the fields that are ``known``, and of countless others a few: enough to refuse it by name."""
    if not isinstance(given, dict) or len(given) <= len(known) + MAX_UNKNOWN:
        return given
    unknown = islice((name for name in given if name not in known), MAX_UNKNOWN)
    return {name: given[name] for name in (*known, *unknown) if name in given}


class DegradedReason(StrEnum):
    """Why an answer is less than the best one.

    - `cold_start`: no event of any of the entities was ever seen; the answer is the model's for a cold start.
    - `feature_store_unavailable`: the features could not be read in time; the answer is that for a cold start.
    - `unreadable_state`: what the store holds of an entity is damaged; the answer is that for a cold start.
    - `states_rebuilding`: what the store holds of an entity is being made anew from the lake; the answer is that for a
      cold start.
    - `state_lost`: the store has lost what it held of an entity, or went back to an older copy, and this will be made
      anew from the lake; the answer is that for a cold start.
    - `clock_behind`: by this server's clock it is earlier than the states of an entity can answer for; the answer is
      that for a cold start.
    - `stale_features`: the stream has not confirmed the features for longer than their group allows.
    - `registry_unavailable`: the model registry does not answer, so a newer champion may exist.
    - `cached_model`: the server started without the registry, or with a champion there that it cannot use, and answers
      with the last model on its disk that has served.
    """

    COLD_START = "cold_start"
    FEATURE_STORE_UNAVAILABLE = "feature_store_unavailable"
    UNREADABLE_STATE = "unreadable_state"
    STATES_REBUILDING = "states_rebuilding"
    STATE_LOST = "state_lost"
    CLOCK_BEHIND = "clock_behind"
    STALE_FEATURES = "stale_features"
    REGISTRY_UNAVAILABLE = "registry_unavailable"
    CACHED_MODEL = "cached_model"


class Arm(StrEnum):
    """As what a model answers while there are two; what a ``shadow`` says is logged and sent to nobody."""

    CHAMPION = "champion"
    CHALLENGER = "challenger"
    SHADOW = "shadow"


ANSWERING = Literal["champion", "challenger"]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _few_unknown(cls, given: Any) -> Any:
        return with_few_unknown(given, cls.model_fields)


class ModelIdentity(Body):
    name: str
    version: str
    alias: str
    arm: ANSWERING = Field(description="as which of the two models that may answer at a time")
    run_id: str = Field(description="the MLflow run that trained it; a version number may come to mean another model")
    model_id: str = Field(description="MLflow's id of the model itself")


class ChallengerInfo(Body):
    version: str
    run_id: str
    model_id: str
    is_loaded: bool
    trouble: str | None = Field(description="why it does not answer, so that the champion does; null: it does")


class TrafficInfo(Body):
    """Which model answers whom, as the control store said last."""

    epoch: int = Field(description="grows by one with each change")
    policy: str
    share: int = Field(description="per cent of the entities that are the challenger's to answer")
    challenger: ChallengerInfo | None


class ModelInfo(ModelIdentity):
    entities: list[str] = Field(description="the keys that an instance names")
    inputs: list[str] = Field(description="the numbers that an instance brings")
    features: list[str] = Field(description="in the order the model takes them")
    feature_service: str
    loaded_at: datetime
    traffic: TrafficInfo | None = Field(description="null where none was ever set: the champion answers all")
    is_cached: bool = Field(description="true when it came from disk and the registry has not confirmed it yet")


class BinaryModelInfo(ModelInfo):
    task: Literal["binary"] = "binary"
    threshold: float = Field(description="scores at or above it get the second decision")
    decisions: tuple[str, str] = Field(description="below the threshold, at or above it")
    cold_start_score: float = Field(description="the score of an entity without features")
    cold_start_decision: str | None = Field(description="the decision for one; null: none is made")


class MulticlassModelInfo(ModelInfo):
    task: Literal["multiclass"] = "multiclass"
    classes: list[str]
    cold_start_scores: dict[str, float] = Field(description="the scores of an entity without features")
    cold_start_decision: str | None = Field(description="the decision for one; null: none is made")


class RegressionModelInfo(ModelInfo):
    task: Literal["regression"] = "regression"
    minimum: float | None = Field(description="no value is below it; null: any may come")
    coverage: float | None = Field(description="how often the interval is to hold what comes true; null: it has none")
    cold_start_value: float = Field(description="the value of an entity without features")


AnyModelInfo = Annotated[BinaryModelInfo | MulticlassModelInfo | RegressionModelInfo, Field(discriminator="task")]


class Reason(Body):
    feature: str
    value: float | None = Field(description="what was served; null: the feature has no value")
    contribution: float = Field(description="what it added to the output")


class Health(Body):
    status: Literal["alive"] = "alive"


class Dependency(Body):
    state: Literal["ok", "degraded", "loading", "unavailable"]
    detail: str


class Readiness(Body):
    status: Literal["ready", "degraded", "unavailable"] = Field(
        description="degraded: it answers, with what it has; unavailable: no use case has a model yet"
    )
    dependencies: dict[str, Dependency]
