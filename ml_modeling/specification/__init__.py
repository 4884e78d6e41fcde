"""The content of a use case's ``model.yaml``, checked when read: one module a task, and what they share."""

from ml_modeling.specification.binary import (
    Baseline,
    BinarySpec,
    ColdStart,
    FixedThreshold,
    MaxF1Threshold,
)
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
    ModelSpec,
    Periods,
    Range,
    Search,
    SearchSpace,
)
from ml_modeling.specification.reading import SpecificationError, read_specification
from ml_modeling.specification.regression import NumberLeakage, RegressionSpec, ValueColdStart

__all__ = [
    "Baseline",
    "BaselineGate",
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
    "FeatureBaseline",
    "FixedThreshold",
    "Gates",
    "Leakage",
    "MaxF1Threshold",
    "ModelSpec",
    "MulticlassSpec",
    "NumberLeakage",
    "Periods",
    "PriorBaseline",
    "Range",
    "RegressionSpec",
    "Search",
    "SearchSpace",
    "SpecificationError",
    "ValueColdStart",
    "read_specification",
]
