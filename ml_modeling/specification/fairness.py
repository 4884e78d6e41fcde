"""How a model must treat groups of people: the part ``fairness`` of a ``model.yaml``."""

from typing import Literal

from pydantic import Field, model_validator

from ml_modeling.specification.parts import Amount, Part, Range, Share

BinaryGroupMetric = Literal["selection_rate", "true_positive_rate", "false_positive_rate"]
RegressionGroupMetric = Literal["mean_error", "mae"]
Constraint = Literal["demographic_parity", "true_positive_rate_parity", "false_positive_rate_parity", "equalized_odds"]


class Limit(Part):
    """How far apart groups may be: highest minus lowest at most, or lowest by highest at least."""

    difference: Amount | None = None
    ratio: Share | None = None

    @model_validator(mode="after")
    def _is_one(self) -> "Limit":
        if (self.difference is None) == (self.ratio is None):
            raise ValueError("either difference or ratio is wanted")
        return self


class Mitigation(Part):
    """A further candidate: ``candidate``, fitted so that groups of ``column`` come closer, at this ``strength``."""

    candidate: str
    column: str
    constraint: Constraint
    strength: Range = Range(low=0.05, high=0.5, log=True)

    @property
    def name(self) -> str:
        """What the candidate is called in the search and in the run."""
        return f"mitigated_{self.candidate}"


class Fairness(Part):
    """Groups are the values of ``columns`` of the contract ``profile``, as last said before a row is asked about.

    ``as_features`` are those of the columns that features may read all the same. A group with less than
    ``min_examples`` that a metric counts is told of and not judged.
    """

    profile: str = "shop.customer.v1"
    columns: tuple[str, ...] = Field(min_length=1)
    as_features: tuple[str, ...] = ()
    min_examples: int = Field(default=50, ge=1)
    metrics: tuple[str, ...]
    gates: dict[str, Limit] = Field(default_factory=dict)
    mitigation: Mitigation | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> "Fairness":
        if len(set(self.columns)) < len(self.columns):
            raise ValueError("columns: one stands there twice")
        others = [name for name in self.as_features if name not in self.columns]
        if self.mitigation is not None and self.mitigation.column not in self.columns:
            others.append(self.mitigation.column)
        if others:
            raise ValueError(f"{', '.join(others)} is not one of the columns {', '.join(self.columns)}")
        if unmeasured := [name for name in self.gates if name not in self.metrics]:
            raise ValueError(f"gates: {', '.join(unmeasured)} is not one of the metrics {', '.join(self.metrics)}")
        if self.mitigation is not None and not self.gates:
            raise ValueError("mitigation: without gates there is nothing to reach")
        return self


class BinaryFairness(Fairness):
    metrics: tuple[BinaryGroupMetric, ...] = Field(
        default=("selection_rate", "true_positive_rate", "false_positive_rate"), min_length=1
    )
    gates: dict[BinaryGroupMetric, Limit] = Field(default_factory=dict)  # type: ignore[assignment]


class RegressionFairness(Fairness):
    metrics: tuple[RegressionGroupMetric, ...] = Field(default=("mean_error", "mae"), min_length=1)
    gates: dict[RegressionGroupMetric, Limit] = Field(default_factory=dict)  # type: ignore[assignment]

    @model_validator(mode="after")
    def _can_be_done(self) -> "RegressionFairness":
        if self.mitigation is not None:
            raise ValueError("mitigation: there is one for yes or no only")
        limit = self.gates.get("mean_error")
        if limit is not None and limit.ratio is not None:
            raise ValueError("gates: mean_error may be negative, so it has no ratio: give a difference")
        return self
