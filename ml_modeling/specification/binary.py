"""The ``model.yaml`` of a yes-or-no label."""

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from ml_modeling.registry.served import MAX_DECISION, NO_DECISION
from ml_modeling.specification.fairness import BinaryFairness
from ml_modeling.specification.model import ModelSpec
from ml_modeling.specification.parts import (
    BaselineGate,
    ChampionGate,
    ClassWeights,
    FeatureBaseline,
    Gates,
    Leakage,
    Part,
    Search,
    Share,
)

Metric = Literal["roc_auc", "average_precision", "f1", "accuracy", "brier"]
Ranking = Literal["roc_auc", "average_precision"]
Decision = Annotated[str, Field(min_length=1, max_length=MAX_DECISION)]
BY_THRESHOLD = "threshold"


class BinarySearch(Search):
    metric: Ranking


class Baseline(FeatureBaseline):
    high_means_positive: bool


class MaxF1Threshold(Part):
    rule: Literal["max_f1"]


class FixedThreshold(Part):
    rule: Literal["fixed"]
    value: float = Field(ge=0, le=1)


class ColdStart(Part):
    """The answer for an entity without features; ``decision`` is a rule of these, or one of the decisions' names."""

    score: Literal["base_rate"] | Annotated[float, Field(ge=0, le=1)]
    decision: str

    def score_of(self, base_rate: float) -> float:
        return base_rate if self.score == "base_rate" else self.score

    def decision_of(self, score: float, threshold: float, decisions: tuple[str, str]) -> str | None:
        """The decision's name; None when there is none to take."""
        if self.decision == NO_DECISION:
            return None
        return decisions[score >= threshold] if self.decision == BY_THRESHOLD else self.decision


class BinaryBaselineGate(BaselineGate):
    metric: Ranking
    gain: Share


class BinaryChampionGate(ChampionGate):
    metric: Metric
    margin: Share


class BinaryGates(Gates):
    floors: dict[Metric, Share]  # type: ignore[assignment]
    ceilings: dict[Metric, Share] = Field(default_factory=dict)  # type: ignore[assignment]
    baseline: BinaryBaselineGate
    champion: BinaryChampionGate


class BinarySpec(ModelSpec):
    search: BinarySearch
    decisions: tuple[Decision, Decision]
    class_weights: ClassWeights | None = None
    leakage: Leakage
    baseline: Baseline
    threshold: Annotated[MaxF1Threshold | FixedThreshold, Field(discriminator="rule")]
    cold_start: ColdStart
    gates: BinaryGates
    fairness: BinaryFairness | None = None

    @field_validator("decisions")
    @classmethod
    def _names_two(cls, decisions: tuple[str, str]) -> tuple[str, str]:
        if len({*decisions, NO_DECISION, BY_THRESHOLD}) < 4:
            raise ValueError(f"two different names, neither of them {NO_DECISION} or {BY_THRESHOLD}, are wanted")
        return decisions

    @field_validator("class_weights")
    @classmethod
    def _weighs_decisions(cls, weights: ClassWeights | None, info: ValidationInfo) -> ClassWeights | None:
        decisions = info.data.get("decisions", ())
        if isinstance(weights, dict) and decisions and set(weights) != set(decisions):
            raise ValueError(f"a weight for each of {', '.join(decisions)} is wanted")
        return weights

    @field_validator("cold_start")
    @classmethod
    def _decides_what_there_is(cls, rule: ColdStart, info: ValidationInfo) -> ColdStart:
        known = (NO_DECISION, BY_THRESHOLD, *info.data.get("decisions", ()))
        if rule.decision not in known and "decisions" in info.data:
            raise ValueError(f"decision {rule.decision!r} is none of {', '.join(known)}")
        return rule
