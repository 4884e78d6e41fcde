"""The content of a use case's ``model.yaml``, checked when read."""

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from config.errors import TerminalError

Metric = Literal["roc_auc", "average_precision", "f1", "accuracy", "brier"]
Ranking = Literal["roc_auc", "average_precision"]
CandidateName = Literal["logistic_regression", "random_forest", "xgboost", "lightgbm"]
Scalar = bool | int | float | str | None


class SpecificationError(TerminalError):
    """A ``model.yaml`` that cannot be used; the message names the file, the key and the value."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Range(_Part):
    """Numbers from ``low`` to ``high``, both included; whole ones when both ends are."""

    low: int | float
    high: int | float
    log: bool = False

    @model_validator(mode="after")
    def _is_a_range(self) -> "Range":
        if self.low >= self.high:
            raise ValueError(f"low {self.low} is not below high {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"a logarithmic range starts above zero, not at {self.low}")
        return self


SearchSpace = dict[str, Range | Annotated[list[Scalar], Field(min_length=1)] | Scalar]


class Cutoffs(_Part):
    spacing_days: int = Field(ge=1)
    min_history_days: int = Field(ge=0)
    train: int = Field(ge=1)
    validation: int = Field(ge=1)
    test: int = Field(ge=1)


class Leakage(_Part):
    max_single_feature_auc: float = Field(gt=0.5, le=1)
    max_pure_share: float = Field(gt=0, le=1)


class Search(_Part):
    metric: Ranking
    trials: int = Field(ge=1)
    timeout_s: float = Field(gt=0)
    seed: int = Field(ge=0)


class Baseline(_Part):
    feature: str
    high_means_positive: bool


class MaxF1Threshold(_Part):
    rule: Literal["max_f1"]


class FixedThreshold(_Part):
    rule: Literal["fixed"]
    value: float = Field(ge=0, le=1)


class BaseRateColdStart(_Part):
    rule: Literal["base_rate"]


class ConstantColdStart(_Part):
    rule: Literal["constant"]
    score: float = Field(ge=0, le=1)


class Bootstrap(_Part):
    replicates: int = Field(ge=100)
    confidence: float = Field(gt=0.5, lt=1)
    seed: int = Field(ge=0)


class BaselineGate(_Part):
    metric: Ranking
    gain: float = Field(ge=0)


class ChampionGate(_Part):
    metric: Metric
    margin: float = Field(ge=0)


class Gates(_Part):
    floors: dict[Metric, float]
    ceilings: dict[Metric, float] = Field(default_factory=dict)
    baseline: BaselineGate
    champion: ChampionGate


class ModelSpec(_Part):
    """How a model is trained, compared and let through; field by field in ``docs/models.md``."""

    description: str = Field(min_length=1)
    decisions: tuple[str, str]
    cutoffs: Cutoffs
    max_rows: int = Field(ge=100)
    leakage: Leakage
    search: Search
    candidates: dict[CandidateName, SearchSpace] = Field(min_length=1)
    baseline: Baseline
    threshold: Annotated[MaxF1Threshold | FixedThreshold, Field(discriminator="rule")]
    cold_start: Annotated[BaseRateColdStart | ConstantColdStart, Field(discriminator="rule")]
    bootstrap: Bootstrap
    gates: Gates


def read_specification(file: Path) -> ModelSpec:
    """The specification in ``file``.

    Raises:
        SpecificationError: the file is missing, is not YAML, or has an unknown, missing or bad value.
    """
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        return ModelSpec.model_validate(content)
    except OSError as error:
        raise SpecificationError(f"{file}: cannot be read: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise SpecificationError(f"{file}: not valid YAML: {error}") from error
    except ValidationError as error:
        raise SpecificationError("; ".join(_explained(file, problem) for problem in error.errors())) from error


def _explained(file: Path, problem: Any) -> str:
    key = ".".join(str(part) for part in problem["loc"]) or "(the whole file)"
    if problem["type"] == "missing":
        return f"{file}: {key} is missing"
    return f"{file}: {key} = {problem['input']!r}: {problem['msg']}"
