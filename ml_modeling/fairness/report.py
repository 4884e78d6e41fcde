"""What is known of a model's groups after it was tested."""

from pydantic import BaseModel, ConfigDict

from ml_modeling.evaluation.estimate import Estimate


class Group(BaseModel):
    """The people with one value of a sensitive column; a metric is there if it counts any example of theirs.

    ``counted`` is how many examples each metric counts.
    """

    model_config = ConfigDict(frozen=True)

    column: str
    group: str
    examples: int
    metrics: dict[str, Estimate]
    counted: dict[str, int]


class Disparity(BaseModel):
    """How far the groups of a column lie apart in a metric, and between which two; None where there are not two.

    ``difference`` is highest minus lowest, ``ratio`` lowest by highest; their intervals hold for all pairs of groups at
    once. ``judged`` are the groups compared, ``too_small`` those that are not.
    """

    model_config = ConfigDict(frozen=True)

    column: str
    metric: str
    judged: tuple[str, ...]
    too_small: tuple[str, ...]
    highest: str | None = None
    lowest: str | None = None
    difference: Estimate | None = None
    ratio: Estimate | None = None


class FairnessReport(BaseModel):
    """Every group of every sensitive column, and the disparities between them."""

    model_config = ConfigDict(frozen=True)

    min_examples: int
    groups: tuple[Group, ...]
    disparities: tuple[Disparity, ...]

    def disparities_in(self, metric: str) -> tuple[Disparity, ...]:
        """Those of one metric, by column."""
        return tuple(found for found in self.disparities if found.metric == metric)
