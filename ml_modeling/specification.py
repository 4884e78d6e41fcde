"""The content of a use case's ``model.yaml``, checked when read."""

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator

from ml_modeling.registry.served import NO_DECISION
from tidemill.config.errors import TerminalError
from tidemill.config.formats import Cron

Metric = Literal["roc_auc", "average_precision", "f1", "accuracy", "brier"]
Ranking = Literal["roc_auc", "average_precision"]
CandidateName = Literal["logistic_regression", "random_forest", "xgboost", "lightgbm"]
Scalar = bool | int | float | str | None
BY_THRESHOLD = "threshold"


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

    @property
    def is_whole(self) -> bool:
        return isinstance(self.low, int) and isinstance(self.high, int)


Choice = Range | Annotated[list[Scalar], Field(min_length=1)] | Scalar
SearchSpace = dict[str, Choice]


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


class ColdStart(_Part):
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


class Bootstrap(_Part):
    replicates: int = Field(ge=100)
    confidence: float = Field(gt=0.5, lt=1)
    seed: int = Field(ge=0)


Share = Annotated[float, Field(ge=0, le=1)]  # every metric is one


class BaselineGate(_Part):
    metric: Ranking
    gain: Share


class ChampionGate(_Part):
    metric: Metric
    margin: Share


class Gates(_Part):
    floors: dict[Metric, Share]
    ceilings: dict[Metric, Share] = Field(default_factory=dict)
    baseline: BaselineGate
    champion: ChampionGate


class ModelSpec(_Part):
    """How a model is trained, compared and let through; field by field in ``docs/models.md``."""

    description: str = Field(min_length=1)
    decisions: tuple[str, str]
    schedule: Cron | None = None
    owner: str = "tidemill"
    tags: list[str] = Field(default_factory=list)
    cutoffs: Cutoffs
    max_rows: int = Field(ge=100)
    leakage: Leakage
    search: Search
    candidates: dict[CandidateName, SearchSpace] = Field(min_length=1)
    baseline: Baseline
    threshold: Annotated[MaxF1Threshold | FixedThreshold, Field(discriminator="rule")]
    cold_start: ColdStart
    bootstrap: Bootstrap
    gates: Gates

    @field_validator("decisions")
    @classmethod
    def _names_two(cls, decisions: tuple[str, str]) -> tuple[str, str]:
        if len({*decisions, NO_DECISION, BY_THRESHOLD}) < 4:
            raise ValueError(f"two different names, neither of them {NO_DECISION} or {BY_THRESHOLD}, are wanted")
        return decisions

    @field_validator("cold_start")
    @classmethod
    def _decides_what_there_is(cls, rule: ColdStart, info: ValidationInfo) -> ColdStart:
        known = (NO_DECISION, BY_THRESHOLD, *info.data.get("decisions", ()))
        if rule.decision not in known and "decisions" in info.data:
            raise ValueError(f"decision {rule.decision!r} is none of {', '.join(known)}")
        return rule


class _Loader(yaml.SafeLoader):
    """Refuses a key that is given twice, of which YAML would take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        for number, (key, _) in enumerate(node.value):
            if key.value in keys[:number]:
                raise yaml.constructor.ConstructorError(None, None, f"key {key.value!r} is there twice", key.start_mark)
        return super().construct_mapping(node, deep)


def read_specification(file: Path) -> ModelSpec:
    """The specification in ``file``.

    Raises:
        SpecificationError: the file is missing, is not YAML, or has an unknown, missing or bad value.
    """
    try:
        content = yaml.load(file.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - a safe one
        spec = ModelSpec.model_validate(content)
    except OSError as error:
        raise SpecificationError(f"{file}: cannot be read: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise SpecificationError(f"{file}: not valid YAML: {error}") from error
    except ValidationError as error:
        raise SpecificationError("; ".join(_explained(file, problem) for problem in error.errors())) from error
    refused = [problem for name, space in spec.candidates.items() for problem in _refused(file, name, space)]
    if refused:
        raise SpecificationError("; ".join(refused))
    return spec


def _refused(file: Path, candidate: str, space: SearchSpace) -> list[str]:
    from ml_modeling.parameters import problems

    found = problems(candidate, {name: _tried(choice) for name, choice in space.items()})
    return [f"{file}: {'.'.join(filter(None, ('candidates', candidate, name)))}: {why}" for name, why in found]


def _tried(choice: Choice) -> list[Scalar]:
    """The values that stand for a choice: all of a list, the ends of a range, and one that is no end nor whole."""
    if isinstance(choice, list):
        return choice
    if not isinstance(choice, Range):
        return [choice]
    between = [] if choice.is_whole else [choice.low + (choice.high - choice.low) / 3]
    return [choice.low, *between, choice.high]


def _explained(file: Path, problem: Any) -> str:
    key = ".".join(str(part) for part in problem["loc"]) or "(the whole file)"
    if problem["type"] == "missing":
        return f"{file}: {key} is missing"
    if problem["type"] == "extra_forbidden":
        nearest = difflib.get_close_matches(str(problem["loc"][-1]), _known_keys(), n=3, cutoff=0.5)
        advice = f"; did you mean {' or '.join(nearest)}?" if nearest else ""
        return f"{file}: {key} is no key of a specification{advice}"
    return f"{file}: {key} = {problem['input']!r}: {problem['msg']}"


def _known_keys() -> list[str]:
    return sorted({name for part in _Part.__subclasses__() for name in part.model_fields})
