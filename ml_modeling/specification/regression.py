"""The ``model.yaml`` of a label that is a number."""

from typing import Literal

from pydantic import Field, model_validator

from ml_modeling.specification.fairness import RegressionFairness
from ml_modeling.specification.model import ModelSpec
from ml_modeling.specification.parts import (
    Amount,
    BaselineGate,
    ChampionGate,
    FeatureBaseline,
    Gates,
    Part,
    Search,
)

Metric = Literal["mae", "rmse", "r2", "mape", "coverage", "interval_width"]
PointMetric = Literal["mae", "rmse", "r2"]
OF_INTERVALS = ("coverage", "interval_width")


class RegressionSearch(Search):
    metric: PointMetric


class NumberLeakage(Part):
    max_rank_correlation: float = Field(gt=0, le=1)


class ValueColdStart(Part):
    """The value for an entity without features: that of the fitted labels, or a number."""

    value: Literal["mean", "median"] | float


class PredictionInterval(Part):
    """How often the interval around a value is to hold the truth; its width follows from the validation part."""

    coverage: float = Field(gt=0.5, lt=1)


class RegressionBaselineGate(BaselineGate):
    metric: PointMetric
    gain: Amount


class RegressionChampionGate(ChampionGate):
    metric: PointMetric
    margin: Amount


class RegressionGates(Gates):
    floors: dict[Metric, float] = Field(default_factory=dict)  # type: ignore[assignment]
    ceilings: dict[Metric, float] = Field(default_factory=dict)  # type: ignore[assignment]
    baseline: RegressionBaselineGate
    champion: RegressionChampionGate


class RegressionSpec(ModelSpec):
    """``minimum`` is what no value lies below, such as 0 of an amount of money."""

    search: RegressionSearch
    minimum: float | None = None
    leakage: NumberLeakage
    baseline: FeatureBaseline
    interval: PredictionInterval | None = None
    cold_start: ValueColdStart
    gates: RegressionGates
    fairness: RegressionFairness | None = None

    @model_validator(mode="after")
    def _has_the_interval_that_gates_ask_for(self) -> "RegressionSpec":
        asked = [name for name in OF_INTERVALS if name in self.gates.floors or name in self.gates.ceilings]
        if asked and self.interval is None:
            raise ValueError(f"gates ask for {', '.join(asked)}, and there is no interval")
        return self
