"""What the server is asked and what it answers."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

CustomerId = Annotated[
    str,
    StringConstraints(strict=True, min_length=1, max_length=64),
    Field(description="the customer, as in the contract of the shop's events", examples=["17850"]),
]


class DegradedReason(StrEnum):
    """Why an answer is less than the best one.

    - `cold_start`: the customer has no features; the score and the decision are the model's for a cold start.
    - `feature_store_unavailable`: the features could not be read in time; the score is the cold-start score.
    - `unreadable_state`: what the store holds of the customer is damaged; the score is the cold-start score.
    - `states_rebuilding`: what the store holds of the customer is being made anew from the lake; the score is the
      cold-start score.
    - `state_lost`: the store has lost what it held of the customer, or went back to an older copy, and this will be
      made anew from the lake; the score is the cold-start score.
    - `clock_behind`: by this server's clock it is earlier than the states of the customer can answer for; the score is
      the cold-start score.
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


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Instance(Body):
    customer_id: CustomerId


class PredictRequest(Body):
    instances: list[Instance] = Field(
        min_length=1, description="answered in this order; the same customer may come twice"
    )


class Prediction(Body):
    customer_id: str
    score: float = Field(ge=0, le=1, description="the model's score; what it means is in the use case's README")
    decision: str | None = Field(
        description="which side of the model's threshold the score is on; for a customer without features what the "
        "model declares, null when that is no decision"
    )
    features_as_of: datetime | None = Field(
        description="all that the lake had learnt until then is in the features; null when they could not be read"
    )
    degraded: list[DegradedReason] = Field(description="empty when the answer is the best one")


class ModelIdentity(Body):
    name: str
    version: str
    alias: str
    run_id: str = Field(description="the MLflow run that trained it; a version number may come to mean another model")
    model_id: str = Field(description="MLflow's id of the model itself")


class PredictResponse(Body):
    predictions: list[Prediction]
    model: ModelIdentity
    request_id: str


class ModelInfo(ModelIdentity):
    features: list[str] = Field(description="in the order the model takes them")
    feature_service: str
    threshold: float = Field(description="scores at or above it get the second decision")
    decisions: tuple[str, str] = Field(description="below the threshold, at or above it")
    cold_start_score: float = Field(description="the score of a customer without features")
    cold_start_decision: str | None = Field(description="the decision for one; null: none is made")
    loaded_at: datetime
    is_cached: bool = Field(description="true when it came from disk and the registry has not confirmed it yet")


class Health(Body):
    status: Literal["alive"] = "alive"


class Dependency(Body):
    state: Literal["ok", "degraded", "loading", "unavailable"]
    detail: str


class Readiness(Body):
    status: Literal["ready", "degraded", "unavailable"] = Field(
        description="degraded: it answers, with what it has; unavailable: a use case has no model"
    )
    dependencies: dict[str, Dependency]


class FieldProblem(Body):
    field: str = Field(description="a JSON pointer into the body, or the part of the request")
    message: str


class Problem(Body):
    """RFC 9457 problem details."""

    type: str = Field(description="a URN that names the kind of problem")
    title: str
    status: int
    detail: str
    request_id: str
    errors: list[FieldProblem] = Field(default_factory=list, description="the fields at fault")
