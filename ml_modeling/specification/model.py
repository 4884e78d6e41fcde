"""What the ``model.yaml`` of every task has."""

from pydantic import Field

from ml_modeling.specification.fairness import Fairness
from ml_modeling.specification.parts import (
    Bootstrap,
    Columns,
    Cutoffs,
    EarlyStopping,
    Gates,
    Monitor,
    Part,
    Periods,
    Scoring,
    Search,
    SearchSpace,
)
from ml_modeling.specification.retraining import Retraining
from ml_modeling.specification.rollout import Rollout
from tidemill.config.formats import Cron


class ModelSpec(Part):
    """How a model is trained, compared and let through; field by field in ``docs/models.md``.

    ``cutoffs`` split a question about entities, ``periods`` one about events.
    """

    description: str = Field(min_length=1)
    schedule: Cron | None = None
    monitor: Monitor = Field(default_factory=Monitor)
    owner: str = "tidemill"
    tags: list[str] = Field(default_factory=list)
    cutoffs: Cutoffs | None = None
    periods: Periods | None = None
    max_rows: int = Field(ge=100)
    search: Search
    candidates: dict[str, SearchSpace] = Field(min_length=1)
    columns: Columns = Field(default_factory=Columns)
    early_stopping: EarlyStopping | None = None
    bootstrap: Bootstrap
    gates: Gates
    fairness: Fairness | None = None
    scoring: Scoring | None = None
    retraining: Retraining = Field(default_factory=Retraining)
    rollout: Rollout = Field(default_factory=Rollout)
