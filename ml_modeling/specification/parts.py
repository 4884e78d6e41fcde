"""The parts of a ``model.yaml`` that do not depend on the task."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tidemill.config.formats import Cron

Scalar = bool | int | float | str | None
Share = Annotated[float, Field(ge=0, le=1)]
Amount = Annotated[float, Field(ge=0)]


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Range(Part):
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


class Cutoffs(Part):
    spacing_days: int = Field(ge=1)
    min_history_days: int = Field(ge=0)
    train: int = Field(ge=1)
    validation: int = Field(ge=1)
    test: int = Field(ge=1)


class Periods(Part):
    """Days of events that fit, validate and test; ``matured_share`` of their labels come within the gap between."""

    fit_days: int = Field(ge=1)
    validation_days: int = Field(ge=1)
    test_days: int = Field(ge=1)
    min_history_days: int = Field(default=0, ge=0)
    matured_share: float = Field(default=0.99, gt=0.5, le=1)


Weight = Annotated[float, Field(gt=0)]
ClassWeights = Literal["balanced"] | dict[str, Weight]
"""How much an example counts by its label: as if all labels were as frequent, or by the label's name."""


class Leakage(Part):
    """Of labels that are classes."""

    max_single_feature_auc: float = Field(gt=0.5, le=1)
    max_pure_share: float = Field(gt=0, le=1)


Encoding = Literal["one_hot", "ordinal", "native"]


class Columns(Part):
    """What features are, which are numbers unless named here, and how they reach an estimator that cannot take them.

    Trees take numbers as they are, so that ``compress``, ``impute`` and ``scale`` are for the others. ``select`` is how
    many columns are kept.
    """

    categorical: tuple[str, ...] = ()
    boolean: tuple[str, ...] = ()
    encoding: dict[str, Encoding] = Field(default_factory=dict)
    max_categories: int = Field(default=32, ge=2, le=255)
    compress: bool = True
    impute: Literal["median", "mean", "zero"] = "median"
    scale: Literal["standard", "robust", "none"] = "standard"
    select: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _has_one_role_each(self) -> "Columns":
        if twice := sorted({name for name in self.roles if self.roles.count(name) > 1}):
            raise ValueError(f"{', '.join(twice)} has two roles")
        if wrong := [name for name, encoding in self.encoding.items() if encoding == "native" and name not in NATIVE]:
            raise ValueError(f"{', '.join(wrong)} takes no categories as they are: one_hot or ordinal")
        return self

    @property
    def roles(self) -> tuple[str, ...]:
        """The features that are no numbers."""
        return (*self.categorical, *self.boolean)


NATIVE = ("xgboost", "lightgbm")


class EarlyStopping(Part):
    """Boosting and networks stop when so many more trees or passes gain nothing on the validation part."""

    rounds: int = Field(ge=1)


class Search(Part):
    metric: str
    trials: int = Field(ge=1)
    timeout_s: float = Field(gt=0)
    seed: int = Field(ge=0)


class Monitor(Part):
    """When a look at what the model is asked is taken, and how long a window it is of."""

    schedule: Cron = "0 */6 * * *"
    window_h: float = Field(default=24.0, gt=0)


class FeatureBaseline(Part):
    """A rule of one feature."""

    feature: str


class Scoring(Part):
    """When everybody is scored; without it, on demand."""

    schedule: Cron


class Bootstrap(Part):
    replicates: int = Field(ge=100)
    confidence: float = Field(gt=0.5, lt=1)
    seed: int = Field(ge=0)


class BaselineGate(Part):
    """``gain``: by how much the model must be better than the baseline, whichever way is better."""

    metric: str
    gain: float


class ChampionGate(Part):
    metric: str
    margin: float


class Gates(Part):
    floors: dict[str, float] = Field(default_factory=dict)
    ceilings: dict[str, float] = Field(default_factory=dict)
    baseline: BaselineGate
    champion: ChampionGate
