"""The content of a use case's ``model.yaml``, checked when read: one module a task, and what they share."""

from ml_modeling.specification.binary import (
    Baseline,
    BinarySpec,
    ColdStart,
    FixedThreshold,
    MaxF1Threshold,
)
from ml_modeling.specification.fairness import BinaryFairness, Fairness, Limit, Mitigation, RegressionFairness
from ml_modeling.specification.model import ModelSpec
from ml_modeling.specification.multiclass import ClassBaseline, MulticlassSpec, PriorBaseline
from ml_modeling.specification.parts import (
    BaselineGate,
    Bootstrap,
    ChampionGate,
    ClassWeights,
    Columns,
    Cutoffs,
    EarlyStopping,
    Encoding,
    FeatureBaseline,
    Gates,
    Leakage,
    Periods,
    Range,
    Scoring,
    Search,
    SearchSpace,
)
from ml_modeling.specification.reading import SpecificationError, read_specification
from ml_modeling.specification.regression import NumberLeakage, RegressionSpec, ValueColdStart
from ml_modeling.specification.retraining import Parameters, Retraining
from ml_modeling.specification.rollout import Guards, Rollout, RolloutPolicy

__all__ = [
    "Baseline",
    "BaselineGate",
    "BinaryFairness",
    "BinarySpec",
    "Bootstrap",
    "ChampionGate",
    "ClassBaseline",
    "ClassWeights",
    "ColdStart",
    "Columns",
    "Cutoffs",
    "EarlyStopping",
    "Encoding",
    "Fairness",
    "FeatureBaseline",
    "FixedThreshold",
    "Gates",
    "Guards",
    "Leakage",
    "Limit",
    "MaxF1Threshold",
    "Mitigation",
    "ModelSpec",
    "MulticlassSpec",
    "NumberLeakage",
    "Parameters",
    "Periods",
    "PriorBaseline",
    "Range",
    "RegressionFairness",
    "RegressionSpec",
    "Retraining",
    "Rollout",
    "RolloutPolicy",
    "Scoring",
    "Search",
    "SearchSpace",
    "SpecificationError",
    "ValueColdStart",
    "read_specification",
]
