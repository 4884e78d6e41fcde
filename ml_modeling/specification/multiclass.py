"""The ``model.yaml`` of a label that is one of some classes."""

from typing import Literal

from pydantic import Field, field_validator

from ml_modeling.specification.model import ModelSpec
from ml_modeling.specification.parts import (
    Amount,
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

Metric = Literal["macro_f1", "weighted_f1", "accuracy", "log_loss"]
DecidedMetric = Literal["macro_f1", "weighted_f1", "accuracy"]


class MulticlassSearch(Search):
    metric: Metric


class ClassBaseline(FeatureBaseline):
    """The class whose edges the feature's value lies between; a row without the value is of the first."""


class PriorBaseline(Part):
    """The shares of the classes in what was fitted: always the most frequent."""

    rule: Literal["prior"]


class ClassColdStart(Part):
    """The decision for an entity without features, whose scores are the shares: none, or the most frequent class."""

    decision: Literal["none", "prior"]


class MulticlassBaselineGate(BaselineGate):
    metric: DecidedMetric
    gain: Share


class MulticlassChampionGate(ChampionGate):
    metric: Metric
    margin: Amount


class MulticlassGates(Gates):
    floors: dict[Metric, Share] = Field(default_factory=dict)  # type: ignore[assignment]
    ceilings: dict[Metric, Amount] = Field(default_factory=dict)  # type: ignore[assignment]
    baseline: MulticlassBaselineGate
    champion: MulticlassChampionGate


class MulticlassSpec(ModelSpec):
    search: MulticlassSearch
    class_weights: ClassWeights | None = None
    leakage: Leakage
    baseline: ClassBaseline | PriorBaseline
    cold_start: ClassColdStart
    gates: MulticlassGates

    @field_validator("fairness", mode="before")
    @classmethod
    def _compares_no_groups(cls, fairness: object) -> None:
        if fairness is not None:
            raise ValueError("groups are compared for yes or no and for numbers: ask about one of the classes")
